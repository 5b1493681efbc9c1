/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_acpi.c - ACPI tables as firmware writes them, and as it should not
 *
 * Room:   tests/host. Includes the parser's source, so it also sees its layouts.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every table lies on the heap with exactly the bytes it was given, so that the
 *             sanitizers see each byte read beyond;
 *         (2) the random tests start from a fixed seed.
 * Source: arch/x86_64/acpi.h.
 * Tour:   with arch/x86_64/acpi_parse.c.
 */
#include "machine.h"

#include <stdlib.h>

#include <arch/x86_64/acpi_parse.c>

#define MUTATIONS 20000
#define TABLE_MAX 4096

/* A table that grows at its end. */
struct builder {
    uint8_t bytes[TABLE_MAX];
    uint32_t len_bytes;
};

static void add(struct builder *b, const void *bytes, size_t len_bytes)
{
    assert_true(b->len_bytes + len_bytes <= TABLE_MAX);
    memcpy(b->bytes + b->len_bytes, bytes, len_bytes);
    b->len_bytes += len_bytes;
}

#define ADD_BYTES(b, ...) \
    add(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void begin(struct builder *b, const char *signature)
{
    struct header header = {.revision = 1};

    memcpy(header.signature, signature, 4);
    b->len_bytes = 0;
    add(b, &header, sizeof(header));
}

/* Makes length and sum right. */
static void finish(struct builder *b)
{
    struct header *header = (struct header *)b->bytes;

    header->length = b->len_bytes;
    header->sum = 0;
    header->sum = -sum_of(b->bytes, b->len_bytes);
}

/* An exact copy, which the caller frees. */
static void *exact(const struct builder *b)
{
    void *copy = malloc(b->len_bytes);

    memcpy(copy, b->bytes, b->len_bytes);
    return copy;
}

static void add_local_apic(struct builder *b, uint8_t id, uint8_t flags)
{
    ADD_BYTES(b, MADT_LOCAL_APIC, 8, id, id, flags, 0, 0, 0);
}

static void add_x2apic(struct builder *b, uint16_t id, uint8_t flags)
{
    ADD_BYTES(b, MADT_LOCAL_X2APIC, 16, 0, 0, id & 0xff, id >> 8, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0);
}

static void madt_begin(struct builder *b)
{
    begin(b, "APIC");
    ADD_BYTES(b, 0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0);
}

/* What a machine with @nr_cpus has. */
static void madt_make(struct builder *b, unsigned nr_cpus)
{
    madt_begin(b);
    for (unsigned i = 0; i < nr_cpus; i++)
        add_local_apic(b, i, MADT_CPU_ENABLED);
    ADD_BYTES(b, MADT_IO_APIC, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0);
    ADD_BYTES(b, MADT_ISA_OVERRIDE, 10, 0, 0, 2, 0, 0, 0, 0, 0);
    ADD_BYTES(b, MADT_ISA_OVERRIDE, 10, 0, 4, 20, 0, 0, 0, 0x0f, 0);
    finish(b);
}

static int parse_madt(const struct builder *b, struct acpi_madt *madt)
{
    void *table = exact(b);
    int err = acpi_parse_madt(table, b->len_bytes, madt);

    free(table);
    return err;
}

static void madt_lists_processors_and_interrupt_inputs(void **state)
{
    struct builder b;
    struct acpi_madt madt;
    (void)state;

    madt_make(&b, 4);
    assert_int_equal(parse_madt(&b, &madt), 0);
    assert_int_equal(madt.nr_cpus, 4);
    assert_int_equal(madt.nr_listed, 4);
    assert_int_equal(madt.apic_ids[3], 3);
    assert_int_equal(madt.nr_io_apics, 1);
    assert_int_equal(madt.io_apics[0].registers.raw, 0xfec00000);
    assert_int_equal(madt.isa_irqs[0].input, 2);
    assert_int_equal(madt.isa_irqs[3].input, 3);
    assert_false(madt.isa_irqs[3].level);
    assert_int_equal(madt.isa_irqs[4].input, 20);
    assert_true(madt.isa_irqs[4].level && madt.isa_irqs[4].active_low);
}

static void processors_that_are_not_enabled_do_not_count(void **state)
{
    struct builder b;
    struct acpi_madt madt;
    (void)state;

    madt_begin(&b);
    add_local_apic(&b, 0, 1);
    add_local_apic(&b, 1, 0);
    add_local_apic(&b, 2, 2); /* may be plugged in later */
    add_x2apic(&b, 300, 1);
    add_x2apic(&b, 301, 0);
    finish(&b);
    assert_int_equal(parse_madt(&b, &madt), 0);
    assert_int_equal(madt.nr_cpus, 2);
    assert_int_equal(madt.apic_ids[1], 300);
}

static void a_processor_listed_twice_counts_once(void **state)
{
    struct builder b;
    struct acpi_madt madt;
    (void)state;

    madt_begin(&b);
    add_local_apic(&b, 7, 1);
    add_x2apic(&b, 7, 1);
    finish(&b);
    assert_int_equal(parse_madt(&b, &madt), 0);
    assert_int_equal(madt.nr_cpus, 1);
}

static void more_processors_than_there_is_room_for_are_counted(void **state)
{
    struct builder b;
    struct acpi_madt madt;
    (void)state;

    madt_make(&b, 100);
    assert_int_equal(parse_madt(&b, &madt), 0);
    assert_int_equal(madt.nr_cpus, MAX_CPUS);
    assert_int_equal(madt.nr_listed, 100);
}

static void madt_with_broken_entries_keeps_the_good_ones_before(void **state)
{
    static const uint8_t broken[][4] = {{MADT_LOCAL_APIC, 0},   /* no length: would loop for ever */
                                        {MADT_LOCAL_APIC, 1},   /* shorter than its own head */
                                        {MADT_LOCAL_APIC, 200}, /* beyond the end */
                                        {MADT_LOCAL_APIC, 3},   /* too short for its type */
                                        {MADT_IO_APIC, 4},      {MADT_LOCAL_X2APIC, 2},
                                        {MADT_ISA_OVERRIDE, 2}, {0xff, 4}};
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(broken); i++) {
        struct builder b;
        struct acpi_madt madt;
        madt_begin(&b);
        add_local_apic(&b, 0, 1);
        add(&b, broken[i], sizeof(broken[i]));
        finish(&b);
        assert_int_equal(parse_madt(&b, &madt), 0);
        assert_int_equal(madt.nr_cpus, 1);
        assert_int_equal(madt.nr_io_apics, 0);
    }
}

static void interrupts_beyond_isa_are_not_overridden(void **state)
{
    struct builder b;
    struct acpi_madt madt;
    (void)state;

    madt_begin(&b);
    ADD_BYTES(&b, MADT_ISA_OVERRIDE, 10, 0, 16, 20, 0, 0, 0, 0x0f, 0);
    ADD_BYTES(&b, MADT_ISA_OVERRIDE, 10, 0, 255, 20, 0, 0, 0, 0x0f, 0);
    finish(&b);
    assert_int_equal(parse_madt(&b, &madt), 0);
    for (unsigned i = 0; i < ISA_IRQS; i++)
        assert_int_equal(madt.isa_irqs[i].input, i);
}

static void tables_with_a_wrong_head_are_refused(void **state)
{
    struct builder b;
    struct acpi_madt madt = {.nr_cpus = 77};
    (void)state;

    madt_make(&b, 2);
    for (unsigned at = 0; at < b.len_bytes; at++) {
        b.bytes[at] ^= 0x10; /* any bit changes the sum */
        assert_int_equal(parse_madt(&b, &madt), -EINVAL);
        b.bytes[at] ^= 0x10;
    }
    for (uint32_t len = 0; len < b.len_bytes; len++) { /* less is there than it says */
        struct builder cut = b;
        cut.len_bytes = len;
        assert_int_equal(parse_madt(&cut, &madt), -EINVAL);
    }
    begin(&b, "APIC"); /* sound, but without its fixed part */
    finish(&b);
    assert_int_equal(parse_madt(&b, &madt), -EINVAL);
    assert_int_equal(madt.nr_cpus, 77);
}

static void rsdp_make(struct rsdp *rsdp, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
    *rsdp =
        (struct rsdp){.revision = revision, .rsdt = rsdt, .xsdt = xsdt, .length = sizeof(*rsdp)};
    memcpy(rsdp->signature, "RSD PTR ", 8);
    rsdp->sum = -sum_of(rsdp, ACPI_RSDP_V1_BYTES);
    rsdp->extended_sum = -sum_of(rsdp, sizeof(*rsdp));
}

static void rsdp_leads_to_the_widest_list_that_is_sound(void **state)
{
    struct rsdp rsdp;
    struct acpi_root root;
    (void)state;

    rsdp_make(&rsdp, 2, 0x1000, 0x200000000);
    assert_int_equal(acpi_parse_rsdp(&rsdp, sizeof(rsdp), &root), 0);
    assert_int_equal(root.table.raw, 0x200000000);
    assert_int_equal(root.entry_bytes, 8);

    rsdp.extended_sum++;
    assert_int_equal(acpi_parse_rsdp(&rsdp, sizeof(rsdp), &root), 0);
    assert_int_equal(root.table.raw, 0x1000);
    assert_int_equal(root.entry_bytes, 4);

    rsdp_make(&rsdp, 0, 0x1000, 0x200000000); /* revision 0 has no such field */
    assert_int_equal(acpi_parse_rsdp(&rsdp, sizeof(rsdp), &root), 0);
    assert_int_equal(root.entry_bytes, 4);

    rsdp_make(&rsdp, 0, 0, 0x200000000);
    assert_int_equal(acpi_parse_rsdp(&rsdp, sizeof(rsdp), &root), -EINVAL);
    rsdp_make(&rsdp, 2, 0x1000, 0);
    assert_int_equal(acpi_parse_rsdp(&rsdp, ACPI_RSDP_V1_BYTES, &root), 0);
    assert_int_equal(acpi_parse_rsdp(&rsdp, ACPI_RSDP_V1_BYTES - 1, &root), -EINVAL);
    rsdp.signature[0] = 'r';
    assert_int_equal(acpi_parse_rsdp(&rsdp, sizeof(rsdp), &root), -EINVAL);
}

static void root_table_is_read_entry_by_entry(void **state)
{
    struct builder b;
    (void)state;

    begin(&b, "XSDT");
    ADD_BYTES(&b, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
              0xee); /* half an entry at the end */
    finish(&b);
    assert_int_equal(acpi_root_entries(b.bytes, 8), 2);
    assert_int_equal(acpi_root_entry(b.bytes, 8, 0).raw, 0x100000001);
    assert_int_equal(acpi_root_entry(b.bytes, 8, 1).raw, 2);
    assert_int_equal(acpi_root_entries(b.bytes, 4), 4);
    assert_int_equal(acpi_root_entry(b.bytes, 4, 0).raw, 1);
}

static struct fadt fadt_of_a_pc(void)
{
    struct fadt f = {.dsdt = 0x1000, .smi_command = 0xb2, .acpi_enable = 2};

    f.pm1_control[0] = 0x604;
    f.pm_timer = 0x608;
    f.flags = FADT_TIMER_32BIT | FADT_RESET_REGISTER;
    f.reset = (struct address){.space = 1, .address = 0xcf9};
    f.reset_value = 0xf;
    return f;
}

static int parse_fadt(struct fadt f, size_t len_bytes, struct acpi_fadt *fadt)
{
    struct builder b;

    begin(&b, "FACP");
    add(&b, (const char *)&f + sizeof(f.header), len_bytes - sizeof(f.header));
    finish(&b);
    void *table = exact(&b);
    int err = acpi_parse_fadt(table, b.len_bytes, fadt);
    free(table);
    return err;
}

static void fadt_tells_ports_of_power_and_time(void **state)
{
    struct acpi_fadt fadt;
    (void)state;

    assert_int_equal(parse_fadt(fadt_of_a_pc(), sizeof(struct fadt), &fadt), 0);
    assert_int_equal(fadt.dsdt.raw, 0x1000);
    assert_int_equal(fadt.pm1_control[0], 0x604);
    assert_int_equal(fadt.pm1_control[1], 0);
    assert_int_equal(fadt.pm_timer, 0x608);
    assert_true(fadt.pm_timer_32bit);
    assert_int_equal(fadt.reset.space, ACPI_REGISTER_PORT);
    assert_int_equal(fadt.reset.address, 0xcf9);
    assert_int_equal(fadt.sleep_control.space, ACPI_REGISTER_NONE);
}

static void fadt_of_any_revision_is_read_as_far_as_it_goes(void **state)
{
    struct acpi_fadt fadt;
    struct fadt f = fadt_of_a_pc();
    (void)state;

    f.flags = 0;
    f.x_dsdt = 0x200000000;
    for (size_t len = FADT_V1_BYTES; len < sizeof(f); len++) {
        assert_int_equal(parse_fadt(f, len, &fadt), 0);
        bool has_x_dsdt = len >= offsetof(struct fadt, x_dsdt) + 8;
        if (has_x_dsdt)
            assert_int_equal(fadt.dsdt.raw, 0x200000000);
        else if (len <= offsetof(struct fadt, x_dsdt))
            assert_int_equal(fadt.dsdt.raw, 0x1000);
    }
    assert_int_equal(parse_fadt(f, FADT_V1_BYTES - 1, &fadt), -EINVAL);
}

static void fadt_falls_back_to_new_fields_that_name_ports(void **state)
{
    struct acpi_fadt fadt;
    struct fadt f = fadt_of_a_pc();
    (void)state;

    f.pm_timer = 0;
    f.x_pm_timer = (struct address){.space = 1, .address = 0x1808};
    f.pm1_control[0] = 0;
    f.x_pm1_control[0] = (struct address){.space = 0, .address = 0xfed00000}; /* not a port */
    assert_int_equal(parse_fadt(f, sizeof(f), &fadt), 0);
    assert_int_equal(fadt.pm_timer, 0x1808);
    assert_int_equal(fadt.pm1_control[0], 0);
}

static void fadt_of_a_reduced_machine_has_a_sleep_register_only(void **state)
{
    struct acpi_fadt fadt;
    struct fadt f = fadt_of_a_pc();
    (void)state;

    f.flags |= FADT_REDUCED;
    f.sleep_control = (struct address){.space = 0, .address = 0xfea00000};
    f.reset = (struct address){.space = 3, .address = 1}; /* of a kind we cannot reach */
    assert_int_equal(parse_fadt(f, sizeof(f), &fadt), 0);
    assert_int_equal(fadt.pm1_control[0], 0);
    assert_int_equal(fadt.pm_timer, 0);
    assert_int_equal(fadt.sleep_control.space, ACPI_REGISTER_MEMORY);
    assert_int_equal(fadt.reset.space, ACPI_REGISTER_NONE);
}

static int parse_s5(const void *aml, size_t len_bytes, uint8_t type[2])
{
    struct builder b;

    begin(&b, "DSDT");
    add(&b, aml, len_bytes);
    finish(&b);
    void *table = exact(&b);
    int err = acpi_parse_s5(table, b.len_bytes, type);
    free(table);
    return err;
}

#define S5(...) \
    parse_s5((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), type)

static void sleep_type_is_found_in_every_shape_compilers_write(void **state)
{
    uint8_t type[2];
    (void)state;

    assert_int_equal(S5(AML_NAME, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x0a, 6, 0, 0), 0);
    assert_int_equal(type[0], 5);
    assert_int_equal(type[1], 6);
    assert_int_equal(S5(AML_NAME, '\\', '_', 'S', '5', '_', 0x12, 4, 2, 0, 1), 0);
    assert_int_equal(type[0], 0);
    assert_int_equal(type[1], 1);
    assert_int_equal(S5(AML_NAME, '_', 'S', '5', '_', 0x12, 0x46, 0, 4, 0x0a, 7, 0, 0, 0), 0);
    assert_int_equal(type[0], 7); /* two bytes of length */
    assert_int_equal(S5(AML_NAME, '_', 'S', '5', '_', 0x12, 3, 1, 0x0a, 7), 0);
    assert_int_equal(type[1], 7); /* one element stands for both */
    assert_int_equal(S5('_', 'S', '5', '_', AML_NAME, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1), 0);
}

static void sleep_type_that_is_cut_or_computed_is_refused(void **state)
{
    static const uint8_t good[] = {AML_NAME, '_', 'S', '5', '_', 0x12, 0x46, 0, 4, 0x0a, 5};
    uint8_t type[2] = {77, 77};
    (void)state;

    for (size_t len = 0; len < sizeof(good); len++)
        assert_int_equal(parse_s5(good, len, type), -EINVAL);
    assert_int_equal(S5('x', '_', 'S', '5', '_', 0x12, 4, 2, 1, 1), -EINVAL);
    assert_int_equal(S5(AML_NAME, '_', 'S', '5', '_', 0x11, 4, 2, 1, 1), -EINVAL);
    assert_int_equal(S5(AML_NAME, '_', 'S', '5', '_', 0x12, 4, 2, 0x70, 1), -EINVAL);
    assert_int_equal(type[0], 77);
}

static void event_timer_must_be_in_memory(void **state)
{
    struct builder b;
    phys_addr_t registers = phys(77);
    struct address address = {.space = 0, .address = 0xfed00000};
    (void)state;

    begin(&b, "HPET");
    ADD_BYTES(&b, 1, 2, 3, 4);
    add(&b, &address, sizeof(address));
    finish(&b);
    assert_int_equal(acpi_parse_hpet(b.bytes, b.len_bytes, &registers), 0);
    assert_int_equal(registers.raw, 0xfed00000);

    b.bytes[ACPI_HEADER_BYTES + 4] = 1; /* a port */
    finish(&b);
    assert_int_equal(acpi_parse_hpet(b.bytes, b.len_bytes, &registers), -EINVAL);
    b.len_bytes--;
    finish(&b);
    assert_int_equal(acpi_parse_hpet(b.bytes, b.len_bytes, &registers), -EINVAL);
}

/* Hostile bytes with a right sum: nothing is read beyond, and what comes out has bounds. */
static void mutated_tables_are_survived(void **state)
{
    (void)state;
    host_random_seed(1);
    for (unsigned n = 0; n < MUTATIONS; n++) {
        struct builder b;
        struct acpi_madt madt = {0};
        struct acpi_fadt fadt;
        uint8_t type[2];

        madt_make(&b, host_random_below(8));
        for (unsigned i = host_random_below(6); i; i--)
            b.bytes[ACPI_HEADER_BYTES + host_random_below(b.len_bytes - ACPI_HEADER_BYTES)] =
                host_random();
        b.len_bytes -= host_random_below(b.len_bytes - ACPI_HEADER_BYTES);
        finish(&b);
        void *table = exact(&b);
        int err = acpi_parse_madt(table, b.len_bytes, &madt);
        assert_true(err == 0 || err == -EINVAL);
        assert_true(madt.nr_cpus <= MAX_CPUS && madt.nr_io_apics <= ACPI_IO_APICS_MAX);

        memcpy(((struct header *)table)->signature, n % 2 ? "FACP" : "DSDT", 4);
        ((struct header *)table)->sum -= sum_of(table, b.len_bytes);
        err = acpi_parse_fadt(table, b.len_bytes, &fadt);
        assert_true(err == 0 || err == -EINVAL);
        assert_int_equal(acpi_parse_s5(table, b.len_bytes, type), -EINVAL);
        free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(madt_lists_processors_and_interrupt_inputs),
        cmocka_unit_test(processors_that_are_not_enabled_do_not_count),
        cmocka_unit_test(a_processor_listed_twice_counts_once),
        cmocka_unit_test(more_processors_than_there_is_room_for_are_counted),
        cmocka_unit_test(madt_with_broken_entries_keeps_the_good_ones_before),
        cmocka_unit_test(interrupts_beyond_isa_are_not_overridden),
        cmocka_unit_test(tables_with_a_wrong_head_are_refused),
        cmocka_unit_test(rsdp_leads_to_the_widest_list_that_is_sound),
        cmocka_unit_test(root_table_is_read_entry_by_entry),
        cmocka_unit_test(fadt_tells_ports_of_power_and_time),
        cmocka_unit_test(fadt_of_any_revision_is_read_as_far_as_it_goes),
        cmocka_unit_test(fadt_falls_back_to_new_fields_that_name_ports),
        cmocka_unit_test(fadt_of_a_reduced_machine_has_a_sleep_register_only),
        cmocka_unit_test(sleep_type_is_found_in_every_shape_compilers_write),
        cmocka_unit_test(sleep_type_that_is_cut_or_computed_is_refused),
        cmocka_unit_test(event_timer_must_be_in_memory),
        cmocka_unit_test(mutated_tables_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
