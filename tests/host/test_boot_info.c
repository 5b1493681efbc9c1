/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_boot_info.c - the parsers of boot/ against good, damaged and hostile input
 *
 * Room:   tests/host. Includes the parsers' sources, so it also sees their private structures.
 * Owns:   a small piece of "physical memory" on the heap, exactly as large as the sanitizers allow.
 * Locks:  none.
 * Always: (1) whatever the input, info_is_sound() holds afterwards;
 *         (2) the random tests start from a fixed seed.
 * Source: boot/parsers.h, boot/fill.h, boot/efi/elf.h.
 * Tour:   after boot/multiboot2.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <boot/efi.c>
#include <boot/efi/elf.c>
#include <boot/fill.c>
#include <boot/multiboot1.c>
#include <boot/multiboot2.c>
#include <boot/pvh.c>

#define ARENA_BASE  0x10000UL
#define ARENA_BYTES 0x8000UL
#define MUTATIONS   3000

struct arena {
    uint8_t *bytes;
    struct phys_view view;
    uint64_t used;
};

static struct boot_info info;

static int arena_setup(void **state)
{
    struct arena *arena = malloc(sizeof(*arena));

    arena->bytes = calloc(1, ARENA_BYTES);
    arena->used = 0;
    arena->view = (struct phys_view){
        .bytes = arena->bytes, .start = ARENA_BASE, .end = ARENA_BASE + ARENA_BYTES};
    memset(&info, 0, sizeof(info));
    *state = arena;
    return 0;
}

static int arena_teardown(void **state)
{
    struct arena *arena = *state;

    free(arena->bytes);
    free(arena);
    return 0;
}

/* Puts @len_bytes into the arena, 8-byte aligned; returns their physical address. */
static uint64_t put(struct arena *arena, const void *bytes, uint64_t len_bytes)
{
    uint64_t at = arena->used;

    assert_true(at + len_bytes <= ARENA_BYTES);
    memcpy(arena->bytes + at, bytes, len_bytes);
    arena->used = round_up(at + len_bytes, 8);
    return ARENA_BASE + at;
}

static void info_is_sound(void)
{
    assert_true(info.nr_regions <= BOOT_REGIONS_MAX);
    for (unsigned i = 0; i < info.nr_regions; i++)
        assert_true(info.regions[i].start.raw < info.regions[i].end.raw);
    assert_non_null(memchr(info.cmdline, '\0', sizeof(info.cmdline)));
    if (info.initramfs_end.raw != 0)
        assert_true(info.initramfs_start.raw < info.initramfs_end.raw);
    else
        assert_true(info.initramfs_start.raw == 0);
}

static void assert_region(unsigned i, uint64_t start, uint64_t end, enum boot_region_kind kind)
{
    assert_true(i < info.nr_regions);
    assert_int_equal(info.regions[i].start.raw, start);
    assert_int_equal(info.regions[i].end.raw, end);
    assert_int_equal(info.regions[i].kind, kind);
}

/* ---- good inputs, one builder per protocol; each returns where its first structure lies ---- */

static uint64_t build_pvh(struct arena *arena)
{
    static const struct pvh_memmap_entry map[] = {
        {.start = 0x100000, .len_bytes = 0xff00000, .type = 1},
        {.start = 0, .len_bytes = 0x9fc00, .type = 1},
        {.start = 0xf0000, .len_bytes = 0x20000, .type = 2},
        {.start = 4 * GIB, .len_bytes = GIB, .type = 3},
    };
    struct pvh_module module = {.start = 0x200000, .len_bytes = 0x1234};
    struct pvh_start_info start = {.magic = PVH_MAGIC, .version = 1, .nr_modules = 1};

    start.rsdp = 0xf5000;
    start.cmdline = put(arena, "init=/bin/sh a", 15);
    start.modules = put(arena, &module, sizeof(module));
    start.memmap = put(arena, map, sizeof(map));
    start.nr_memmap = ARRAY_SIZE(map);
    return put(arena, &start, sizeof(start));
}

static uint64_t build_multiboot1(struct arena *arena)
{
    static const struct mb1_memory_map_entry map[] = {
        {.size = 20, .start = 0, .len_bytes = 0x9fc00, .type = 1},
        {.size = 20, .start = 0x100000, .len_bytes = 0xff00000, .type = 1},
        {.size = 20, .start = 0xfffc0000, .len_bytes = 0x40000, .type = 2},
    };
    struct mb1_module module = {.start = 0x200000, .end = 0x201234};
    struct mb1_info mb = {.nr_modules = 1, .mem_lower_kib = 639, .mem_upper_kib = 0x3fc00};

    mb.flags = MB1_HAS_MEMORY | MB1_HAS_CMDLINE | MB1_HAS_MODULES | MB1_HAS_MEMORY_MAP |
               MB1_HAS_LOADER_NAME;
    mb.cmdline = (uint32_t)put(arena, "build/bulla.elf a b", 20);
    mb.loader_name = (uint32_t)put(arena, "qemu", 5);
    mb.modules = (uint32_t)put(arena, &module, sizeof(module));
    mb.memory_map = (uint32_t)put(arena, map, sizeof(map));
    mb.memory_map_bytes = sizeof(map);
    return put(arena, &mb, sizeof(mb));
}

static void put_tag(struct arena *arena, uint32_t type, const void *payload, uint32_t len_bytes)
{
    struct mb2_tag tag = {.type = type, .size_bytes = (uint32_t)sizeof(tag) + len_bytes};

    put(arena, &tag, sizeof(tag));
    put(arena, payload, len_bytes);
}

static uint64_t build_multiboot2(struct arena *arena)
{
    static const struct {
        uint32_t entry_bytes, version;
        struct mb2_memory_map_entry entries[3];
    } map = {24,
             0,
             {{.start = 0, .len_bytes = 0x9f000, .type = 1},
              {.start = 0x100000, .len_bytes = 0x700000, .type = 1},
              {.start = 0x7f000000, .len_bytes = 0x10000, .type = 3}}};
    static const uint32_t module[] = {0x300000, 0x300100, 0};
    static const struct mb2_framebuffer_tag fb = {.base = 0xc0000000,
                                                  .pitch_bytes = 3200,
                                                  .width = 800,
                                                  .height = 600,
                                                  .bits_per_pixel = 32,
                                                  .type = MB2_FRAMEBUFFER_RGB};
    struct mb2_info head = {0};
    uint64_t at = put(arena, &head, sizeof(head));

    put_tag(arena, MB2_TAG_CMDLINE, "tlb.batch=1", 12);
    put_tag(arena, MB2_TAG_LOADER, "GRUB 2.06-13", 13);
    put_tag(arena, MB2_TAG_MODULE, module, sizeof(module));
    put_tag(arena, MB2_TAG_MEMORY_MAP, &map, sizeof(map));
    put_tag(arena, MB2_TAG_FRAMEBUFFER, (const uint8_t *)&fb + sizeof(fb.head),
            sizeof(fb) - sizeof(fb.head));
    put_tag(arena, MB2_TAG_RSDP_V2, "RSD PTR 0123456789012345678901234567", 36);
    put_tag(arena, MB2_TAG_RSDP_V1, "RSD PTR 012345678901", 20);
    put_tag(arena, MB2_TAG_END, "", 0);
    head.total_bytes = (uint32_t)(ARENA_BASE + arena->used - at);
    memcpy(arena->bytes + (at - ARENA_BASE), &head, sizeof(head));
    return at;
}

static uint64_t build_efi(struct arena *arena)
{
    /* Firmware's descriptors are 48 bytes where the structure we know has 40. */
    static const struct {
        struct efi_descriptor d;
        uint64_t more;
    } map[] = {
        {{.type = EFI_BOOT_SERVICES_CODE, .start = 0, .nr_pages = 1}, 0},
        {{.type = EFI_CONVENTIONAL, .start = 0x1000, .nr_pages = 0x9f}, 0},
        {{.type = EFI_CONVENTIONAL, .start = 0x100000, .nr_pages = 0x700}, 0},
        {{.type = EFI_ACPI_RECLAIM, .start = 0x800000, .nr_pages = 8}, 0},
        {{.type = 10, .start = 0x808000, .nr_pages = 8}, 0},
    };
    struct efi_handoff handoff = {.magic = EFI_HANDOFF_MAGIC,
                                  .version = EFI_HANDOFF_VERSION,
                                  .size_bytes = sizeof(handoff),
                                  .initramfs = 0x400000,
                                  .initramfs_bytes = 0x1000,
                                  .rsdp = 0x7000,
                                  .framebuffer = 0x80000000,
                                  .framebuffer_width = 1024,
                                  .framebuffer_height = 768,
                                  .framebuffer_pitch_bytes = 4096,
                                  .framebuffer_bits_per_pixel = 32};

    handoff.cmdline = put(arena, "quiet", 6);
    handoff.memory_map = put(arena, map, sizeof(map));
    handoff.memory_map_bytes = sizeof(map);
    handoff.memory_descriptor_bytes = sizeof(map[0]);
    return put(arena, &handoff, sizeof(handoff));
}

enum protocol { PVH, MULTIBOOT1, MULTIBOOT2, EFI, NR_PROTOCOLS };

static uint64_t build(enum protocol protocol, struct arena *arena)
{
    static uint64_t (*const builders[])(struct arena *) = {build_pvh, build_multiboot1,
                                                           build_multiboot2, build_efi};

    return builders[protocol](arena);
}

static const char *parse(enum protocol protocol, const struct phys_view *view, uint64_t at)
{
    switch (protocol) {
    case PVH:
        return pvh_parse(view, phys(at), &info);
    case MULTIBOOT1:
        return multiboot1_parse(view, MB1_BOOTLOADER_MAGIC, phys(at), &info);
    case MULTIBOOT2:
        return multiboot2_parse(view, MB2_BOOTLOADER_MAGIC, phys(at), &info);
    default:
        return efi_parse(view, phys(at), &info);
    }
}

/* ---- good input arrives unchanged ---- */

static void pvh_start_info_is_read(void **state)
{
    struct arena *arena = *state;

    assert_null(parse(PVH, &arena->view, build_pvh(arena)));
    info_is_sound();
    assert_int_equal(info.nr_regions, 4);
    assert_region(0, 0x100000, 0x10000000, BOOT_REGION_USABLE);
    assert_region(2, 0xf0000, 0x110000, BOOT_REGION_RESERVED);
    assert_region(3, 4 * GIB, 5 * GIB, BOOT_REGION_ACPI_RECLAIM);
    assert_string_equal(info.cmdline, "init=/bin/sh a");
    assert_int_equal(info.initramfs_start.raw, 0x200000);
    assert_int_equal(info.initramfs_end.raw, 0x201234);
    assert_int_equal(info.rsdp.raw, 0xf5000);
}

static void multiboot1_information_is_read_without_qemus_file_name(void **state)
{
    struct arena *arena = *state;

    assert_null(parse(MULTIBOOT1, &arena->view, build_multiboot1(arena)));
    info_is_sound();
    assert_int_equal(info.nr_regions, 3);
    assert_region(1, 0x100000, 0x10000000, BOOT_REGION_USABLE);
    assert_region(2, 0xfffc0000, 4 * GIB, BOOT_REGION_RESERVED);
    assert_string_equal(info.loader, "qemu");
    assert_string_equal(info.cmdline, "a b");
    assert_int_equal(info.initramfs_end.raw, 0x201234);
}

static void multiboot1_without_map_uses_mem_upper(void **state)
{
    struct arena *arena = *state;
    struct mb1_info mb = {.flags = MB1_HAS_MEMORY, .mem_lower_kib = 640, .mem_upper_kib = 15360};

    assert_null(parse(MULTIBOOT1, &arena->view, put(arena, &mb, sizeof(mb))));
    assert_int_equal(info.nr_regions, 2);
    assert_region(0, 0, 640 * KIB, BOOT_REGION_USABLE);
    assert_region(1, MIB, 16 * MIB, BOOT_REGION_USABLE);
    assert_string_equal(info.cmdline, "");
}

static void multiboot1_fields_without_flag_are_not_read(void **state)
{
    struct arena *arena = *state;
    uint64_t at = build_multiboot1(arena);
    struct mb1_info *mb = (struct mb1_info *)(arena->bytes + (at - ARENA_BASE));

    mb->flags = MB1_HAS_MEMORY;
    assert_null(parse(MULTIBOOT1, &arena->view, at));
    assert_string_equal(info.cmdline, "");
    assert_int_equal(info.initramfs_end.raw, 0);
    mb->flags = 0;
    info.nr_regions = 0;
    assert_non_null(parse(MULTIBOOT1, &arena->view, at));
}

static void multiboot2_tags_are_read(void **state)
{
    struct arena *arena = *state;

    assert_null(parse(MULTIBOOT2, &arena->view, build_multiboot2(arena)));
    info_is_sound();
    assert_int_equal(info.nr_regions, 3);
    assert_region(2, 0x7f000000, 0x7f010000, BOOT_REGION_ACPI_RECLAIM);
    assert_string_equal(info.loader, "GRUB");
    assert_string_equal(info.cmdline, "tlb.batch=1");
    assert_int_equal(info.initramfs_start.raw, 0x300000);
    assert_int_equal(info.framebuffer.base.raw, 0xc0000000);
    assert_int_equal(info.framebuffer.pitch_bytes, 3200);
    assert_memory_equal(view_at(&arena->view, info.rsdp, 12), "RSD PTR 0123", 12);
    assert_memory_equal(view_at(&arena->view, info.rsdp, 36), "RSD PTR 0123456789012345678901", 30);
}

static void efi_handoff_is_read_and_neighbours_become_one_region(void **state)
{
    struct arena *arena = *state;

    assert_null(parse(EFI, &arena->view, build_efi(arena)));
    info_is_sound();
    assert_int_equal(info.nr_regions, 4);
    assert_region(0, 0, 0xa0000, BOOT_REGION_USABLE);
    assert_region(1, 0x100000, 0x800000, BOOT_REGION_USABLE);
    assert_region(2, 0x800000, 0x808000, BOOT_REGION_ACPI_RECLAIM);
    assert_region(3, 0x808000, 0x810000, BOOT_REGION_RESERVED);
    assert_string_equal(info.cmdline, "quiet");
    assert_int_equal(info.initramfs_end.raw, 0x401000);
    assert_int_equal(info.framebuffer.width, 1024);
}

/* ---- wrong, oversized, hostile ---- */

static void wrong_magic_is_refused_by_name(void **state)
{
    struct arena *arena = *state;
    uint64_t at = put(arena, "\0\0\0\0\0\0\0\0", 8);

    put(arena, &info, 200);
    assert_non_null(pvh_parse(&arena->view, phys(at), &info));
    assert_non_null(efi_parse(&arena->view, phys(at), &info));
    assert_non_null(multiboot1_parse(&arena->view, 0, phys(at), &info));
    assert_non_null(multiboot1_parse(&arena->view, MB2_BOOTLOADER_MAGIC, phys(at), &info));
    assert_non_null(multiboot2_parse(&arena->view, MB1_BOOTLOADER_MAGIC, phys(at), &info));
}

static void pointers_out_of_memory_are_refused(void **state)
{
    struct arena *arena = *state;
    static const uint64_t wild[] = {0,
                                    1,
                                    ARENA_BASE - 1,
                                    ARENA_BASE + ARENA_BYTES - 1,
                                    ARENA_BASE + ARENA_BYTES,
                                    UINT32_MAX,
                                    UINT64_MAX};

    for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
        for (enum protocol p = PVH; p < NR_PROTOCOLS; p++)
            assert_non_null(parse(p, &arena->view, wild[i]));
        info_is_sound();
    }
}

static void other_versions_are_refused(void **state)
{
    struct arena *arena = *state;
    uint64_t at = build_efi(arena);
    struct efi_handoff *handoff = (struct efi_handoff *)(arena->bytes + (at - ARENA_BASE));
    struct pvh_start_info *start;

    handoff->version++;
    assert_non_null(parse(EFI, &arena->view, at));
    at = build_pvh(arena);
    start = (struct pvh_start_info *)(arena->bytes + (at - ARENA_BASE));
    start->version = 0;
    assert_non_null(parse(PVH, &arena->view, at));
}

static void too_many_regions_are_cut_and_told(void **state)
{
    struct arena *arena = *state;
    struct pvh_start_info start = {.magic = PVH_MAGIC, .version = 1};
    struct pvh_memmap_entry entry = {.len_bytes = 0x1000, .type = 1};

    start.nr_memmap = BOOT_REGIONS_MAX + 1;
    start.memmap = ARENA_BASE + arena->used;
    for (unsigned i = 0; i < start.nr_memmap; i++) {
        entry.start = i * 0x2000UL;
        put(arena, &entry, sizeof(entry));
    }
    assert_null(parse(PVH, &arena->view, put(arena, &start, sizeof(start))));
    info_is_sound();
    assert_int_equal(info.nr_regions, BOOT_REGIONS_MAX);
    assert_true(info.regions_cut);
}

static void long_command_line_is_cut_and_told(void **state)
{
    struct arena *arena = *state;
    char text[BOOT_CMDLINE_MAX + 1];
    uint64_t at;

    memset(text, 'x', sizeof(text));
    at = put(arena, text, sizeof(text));
    text[BOOT_CMDLINE_MAX] = '\0';
    fill_cmdline(&info, &arena->view, phys(at));
    assert_true(info.cmdline_cut);
    assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);

    /* One that just fits, and ends where memory ends. */
    memset(&info, 0, sizeof(info));
    at = ARENA_BASE + ARENA_BYTES - (BOOT_CMDLINE_MAX - 1);
    memset(arena->bytes + (at - ARENA_BASE), 'y', BOOT_CMDLINE_MAX - 1);
    fill_cmdline(&info, &arena->view, phys(at));
    assert_false(info.cmdline_cut);
    assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
}

static void regions_at_the_top_are_cut_not_wrapped(void **state)
{
    (void)state;
    fill_region(&info, UINT64_MAX - 10, 100, BOOT_REGION_RESERVED);
    fill_region(&info, 5, 0, BOOT_REGION_USABLE);
    info_is_sound();
    assert_int_equal(info.nr_regions, 1);
    assert_region(0, UINT64_MAX - 10, UINT64_MAX, BOOT_REGION_RESERVED);
}

static void backward_or_empty_initramfs_is_none(void **state)
{
    (void)state;
    fill_initramfs(&info, 0x2000, 0x1000);
    fill_initramfs(&info, 0x2000, 0x2000);
    fill_initramfs(&info, 0, 0x1000);
    info_is_sound();
    assert_int_equal(info.initramfs_end.raw, 0);
}

static void first_word_is_dropped_with_its_spaces(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {{"k a b", "a b"}, {"k", ""}, {"", ""}, {"k   a", "a"}, {"k ", ""}, {" a", "a"}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        strcpy(info.cmdline, cases[i].from);
        fill_cmdline_drop_first_word(&info);
        assert_string_equal(info.cmdline, cases[i].to);
    }
}

static void odd_framebuffers_are_not_taken(void **state)
{
    static const struct boot_framebuffer odd[] = {
        {.base = {0}, .width = 8, .height = 8, .pitch_bytes = 32, .bits_per_pixel = 32},
        {.base = {0x1000}, .width = 8, .height = 8, .pitch_bytes = 32, .bits_per_pixel = 16},
        {.base = {0x1000}, .width = 9, .height = 8, .pitch_bytes = 32, .bits_per_pixel = 32},
        {.base = {0x1000}, .width = 0, .height = 8, .pitch_bytes = 32, .bits_per_pixel = 32},
        {.base = {0x1000},
         .width = UINT32_MAX,
         .height = 8,
         .pitch_bytes = 32,
         .bits_per_pixel = 32},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
        fill_framebuffer(&info, &odd[i]);
        assert_int_equal(info.framebuffer.base.raw, 0);
    }
}

static void truncated_input_never_reads_past_its_end(void **state)
{
    struct arena *arena = *state;

    for (enum protocol p = PVH; p < NR_PROTOCOLS; p++) {
        uint64_t at, all;

        arena->used = 0;
        at = build(p, arena);
        all = arena->used;
        for (uint64_t len = 0; len <= all; len++) {
            uint8_t *cut = malloc(len);
            struct phys_view view = {.bytes = cut, .start = ARENA_BASE, .end = ARENA_BASE + len};

            memcpy(cut, arena->bytes, len);
            memset(&info, 0, sizeof(info));
            if (parse(p, &view, at) == NULL)
                assert_true(info.nr_regions > 0);
            info_is_sound();
            free(cut);
        }
    }
}

static void mutated_input_never_breaks_boot_info(void **state)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct arena *arena = *state;

    srand(1);
    for (enum protocol p = PVH; p < NR_PROTOCOLS; p++) {
        for (unsigned round = 0; round < MUTATIONS; round++) {
            uint64_t at;

            arena->used = 0;
            at = build(p, arena);
            for (int n = rand() % 6; n >= 0; n--) {
                uint8_t *byte = &arena->bytes[(uint64_t)rand() % arena->used];

                *byte = rand() % 2 ? edges[rand() % 5] : (uint8_t)rand();
            }
            memset(&info, 0, sizeof(info));
            (void)!parse(p, &arena->view, at);
            info_is_sound();
        }
    }
}

/* ---- the kernel file, as the UEFI loader sees it ---- */

struct tiny_kernel {
    struct elf_header header;
    struct elf_segment load, note;
    struct elf_note other;
    char other_name[4];
    uint32_t other_value;
    struct elf_note entry;
    char entry_name[8];
    uint32_t entry_value;
    uint32_t code;
};

static const struct tiny_kernel good_kernel = {
    .header = {.magic = {0x7f, 'E', 'L', 'F'},
               .class = ELF_CLASS_64,
               .data = ELF_LITTLE_ENDIAN,
               .type = ELF_TYPE_EXEC,
               .machine = ELF_MACHINE_X86_64,
               .segments_at = offsetof(struct tiny_kernel, load),
               .segment_bytes = sizeof(struct elf_segment),
               .nr_segments = 2},
    .load = {.type = SEGMENT_LOAD,
             .file_at = offsetof(struct tiny_kernel, code),
             .physical_addr = 0x100000,
             .file_bytes = 4,
             .memory_bytes = 0x1800},
    .note = {.type = SEGMENT_NOTE,
             .file_at = offsetof(struct tiny_kernel, other),
             .file_bytes =
                 offsetof(struct tiny_kernel, code) - offsetof(struct tiny_kernel, other)},
    .other = {.owner_bytes = 4, .value_bytes = 4, .type = 1},
    .other_name = "Xen",
    .other_value = 0x55,
    .entry = {.owner_bytes = 6, .value_bytes = 4, .type = BULLA_NOTE_EFI_ENTRY},
    .entry_name = "Bulla",
    .entry_value = 0x100010,
    .code = 0xf4f4f4f4};

static void kernel_file_is_measured_and_loaded(void **state)
{
    struct kernel_image image;
    uint8_t *memory = malloc(0x2000);

    (void)state;
    memset(memory, 0xaa, 0x2000);
    assert_null(kernel_image_parse(&good_kernel, sizeof(good_kernel), &image));
    assert_int_equal(image.start, 0x100000);
    assert_int_equal(image.end, 0x102000);
    assert_int_equal(image.entry, 0x100010);
    kernel_image_load(&image, memory);
    assert_int_equal(memory[3], 0xf4);
    assert_int_equal(memory[4], 0);
    assert_int_equal(memory[0x17ff], 0);
    free(memory);
}

static void damaged_kernel_files_are_refused(void **state)
{
    struct kernel_image image;
    struct tiny_kernel kernel;

    (void)state;
#define REFUSED_WITH(change)                                                  \
    do {                                                                      \
        kernel = good_kernel;                                                 \
        change;                                                               \
        assert_non_null(kernel_image_parse(&kernel, sizeof(kernel), &image)); \
    } while (0)
    REFUSED_WITH(kernel.header.magic[3] = 0);
    REFUSED_WITH(kernel.header.class = 1);
    REFUSED_WITH(kernel.header.machine = 3);
    REFUSED_WITH(kernel.header.nr_segments = UINT16_MAX);
    REFUSED_WITH(kernel.header.segments_at = UINT64_MAX - 7);
    REFUSED_WITH(kernel.header.segment_bytes = 32);
    REFUSED_WITH(kernel.load.file_at = UINT64_MAX);
    REFUSED_WITH(kernel.load.file_bytes = 1 << 20);
    REFUSED_WITH(kernel.load.memory_bytes = 3);
    REFUSED_WITH(kernel.load.memory_bytes = UINT64_MAX);
    REFUSED_WITH(kernel.load.physical_addr = 4 * GIB);
    REFUSED_WITH(kernel.load.type = 0);
    REFUSED_WITH(kernel.entry_value = 0x200000);
    REFUSED_WITH(kernel.entry.owner_bytes = UINT32_MAX);
    REFUSED_WITH(kernel.entry.value_bytes = UINT32_MAX);
    REFUSED_WITH(kernel.entry_name[0] = 'X');
    REFUSED_WITH(kernel.note.type = 0);
#undef REFUSED_WITH
}

static void truncated_and_mutated_kernel_files_never_escape(void **state)
{
    struct kernel_image image;

    (void)state;
    srand(2);
    for (uint64_t len = 0; len < sizeof(good_kernel); len++) {
        uint8_t *cut = malloc(len);

        memcpy(cut, &good_kernel, len);
        assert_non_null(kernel_image_parse(cut, len, &image));
        free(cut);
    }
    for (unsigned round = 0; round < 10 * MUTATIONS; round++) {
        uint8_t *bytes = malloc(sizeof(good_kernel));

        memcpy(bytes, &good_kernel, sizeof(good_kernel));
        for (int n = rand() % 4; n >= 0; n--)
            bytes[(size_t)rand() % sizeof(good_kernel)] = (uint8_t)rand();
        if (kernel_image_parse(bytes, sizeof(good_kernel), &image) == NULL) {
            assert_true(image.start < image.end && image.end <= 4 * GIB);
            assert_in_range(image.entry, image.start, image.end - 1);
        }
        free(bytes);
    }
}

#define IN_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ARENA(pvh_start_info_is_read),
        IN_ARENA(multiboot1_information_is_read_without_qemus_file_name),
        IN_ARENA(multiboot1_without_map_uses_mem_upper),
        IN_ARENA(multiboot1_fields_without_flag_are_not_read),
        IN_ARENA(multiboot2_tags_are_read),
        IN_ARENA(efi_handoff_is_read_and_neighbours_become_one_region),
        IN_ARENA(wrong_magic_is_refused_by_name),
        IN_ARENA(pointers_out_of_memory_are_refused),
        IN_ARENA(other_versions_are_refused),
        IN_ARENA(too_many_regions_are_cut_and_told),
        IN_ARENA(long_command_line_is_cut_and_told),
        IN_ARENA(regions_at_the_top_are_cut_not_wrapped),
        IN_ARENA(backward_or_empty_initramfs_is_none),
        IN_ARENA(first_word_is_dropped_with_its_spaces),
        IN_ARENA(odd_framebuffers_are_not_taken),
        IN_ARENA(truncated_input_never_reads_past_its_end),
        IN_ARENA(mutated_input_never_breaks_boot_info),
        cmocka_unit_test(kernel_file_is_measured_and_loaded),
        cmocka_unit_test(damaged_kernel_files_are_refused),
        cmocka_unit_test(truncated_and_mutated_kernel_files_never_escape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
