/* SPDX-License-Identifier: MIT */
/*
 * boot/efi/loader.c - BOOTX64.EFI: starts the kernel that lies beside it
 *
 * Room:   boot, UEFI loader. A GNU-EFI application; no code of the kernel runs here.
 * Owns:   the way from firmware to boot/entry.asm: files, memory, the end of boot services.
 * Locks:  none.
 * Always: (1) until ExitBootServices() every failure prints one line and returns an EFI error;
 *         (2) kernel, initramfs and handoff lie below 4 GiB, where the kernel's entry can read.
 * Source: UEFI specification 2.10, "Services - Boot Services", "File Protocol",
 *         "Graphics Output Protocol".
 * Tour:   after boot/efi/handoff.h and boot/efi/elf.c, before boot/entry.asm (efi_entry).
 */
#include <boot/efi/elf.h>
#include <boot/efi/handoff.h>
#include <efi.h>
#include <efilib.h>
#include <lib/addr.h>

#define BELOW_4G        (4 * GIB - 1)
#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_FAIL 17
#define EXIT_TRIES      8
#define MAP_SLACK_BYTES (8 * KIB) /* the allocation of the map grows the map */

/* Called by the start code of GNU-EFI. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_BOOT_SERVICES *services;

struct file {
    void *bytes;
    UINTN len_bytes;
};

static EFI_STATUS complain(EFI_STATUS status, const char *what)
{
    Print(L"bulla: %a (%r)\r\n", what, status);
    return status;
}

/* Pages below 4 GiB that stay where they are when the kernel runs. */
static EFI_STATUS alloc_low(UINTN len_bytes, EFI_PHYSICAL_ADDRESS *addr)
{
    *addr = BELOW_4G;
    return services->AllocatePages(AllocateMaxAddress, EfiLoaderData, EFI_SIZE_TO_PAGES(len_bytes),
                                   addr);
}

static EFI_STATUS file_length(EFI_FILE_PROTOCOL *handle, UINTN *len_bytes)
{
    EFI_STATUS status = handle->SetPosition(handle, UINT64_MAX); /* the end */
    UINT64 position = 0;

    if (EFI_ERROR(status))
        return status;
    status = handle->GetPosition(handle, &position);
    if (EFI_ERROR(status))
        return status;
    *len_bytes = position;
    return handle->SetPosition(handle, 0);
}

/* Reads @name whole, with a NUL behind it. */
static EFI_STATUS read_file(EFI_FILE_PROTOCOL *root, CHAR16 *name, struct file *file)
{
    EFI_PHYSICAL_ADDRESS addr;
    EFI_FILE_PROTOCOL *handle;
    UINTN wanted;
    EFI_STATUS status = root->Open(root, &handle, name, EFI_FILE_MODE_READ, 0);

    if (EFI_ERROR(status))
        return status;
    status = file_length(handle, &file->len_bytes);
    if (EFI_ERROR(status))
        goto close;
    status = alloc_low(file->len_bytes + 1, &addr);
    if (EFI_ERROR(status))
        goto close;
    wanted = file->len_bytes;
    file->bytes = (void *)addr;
    status = handle->Read(handle, &file->len_bytes, file->bytes);
    if (!EFI_ERROR(status) && file->len_bytes != wanted)
        status = EFI_END_OF_FILE;
    ((char *)file->bytes)[file->len_bytes] = '\0';
close:
    handle->Close(handle);
    return status;
}

static EFI_STATUS read_optional_file(EFI_FILE_PROTOCOL *root, CHAR16 *name, struct file *file)
{
    EFI_STATUS status = read_file(root, name, file);

    if (status == EFI_NOT_FOUND) {
        *file = (struct file){0};
        return EFI_SUCCESS;
    }
    return status;
}

/*
 * At its linked address if that is free, else anywhere below 4 GiB at a distance that is a multiple
 * of EFI_LOAD_ALIGN. What the rounding wastes the kernel finds free in the memory map.
 */
static EFI_STATUS place_kernel(const struct kernel_image *image, UINT64 *load_offset)
{
    const UINTN len_bytes = image->end - image->start;
    EFI_PHYSICAL_ADDRESS addr = image->start;
    EFI_STATUS status = services->AllocatePages(AllocateAddress, EfiLoaderData,
                                                EFI_SIZE_TO_PAGES(len_bytes), &addr);

    *load_offset = 0;
    if (!EFI_ERROR(status))
        return status;
    status = alloc_low(len_bytes + EFI_LOAD_ALIGN, &addr);
    if (EFI_ERROR(status))
        return status;
    if (addr < image->start)
        return EFI_OUT_OF_RESOURCES;
    *load_offset = round_up(addr - image->start, EFI_LOAD_ALIGN);
    return EFI_SUCCESS;
}

static void find_framebuffer(struct efi_handoff *handoff)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *screen;
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

    if (EFI_ERROR(services->LocateProtocol(&guid, NULL, (void **)&screen)))
        return;
    mode = screen->Mode->Info;
    if (mode->PixelFormat != PixelRedGreenBlueReserved8BitPerColor &&
        mode->PixelFormat != PixelBlueGreenRedReserved8BitPerColor)
        return;
    handoff->framebuffer = screen->Mode->FrameBufferBase;
    handoff->framebuffer_width = mode->HorizontalResolution;
    handoff->framebuffer_height = mode->VerticalResolution;
    handoff->framebuffer_pitch_bytes = mode->PixelsPerScanLine * 4;
    handoff->framebuffer_bits_per_pixel = 32;
}

static UINT64 find_rsdp(void)
{
    EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
    void *rsdp = NULL;

    if (EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &rsdp)))
        LibGetSystemConfigurationTable(&acpi1, &rsdp);
    return (UINT64)rsdp;
}

/* Ends boot services; the map that goes to the kernel is the one whose key they accepted. */
static EFI_STATUS exit_boot_services(EFI_HANDLE image, struct efi_handoff *handoff)
{
    EFI_PHYSICAL_ADDRESS addr;
    UINTN capacity = 0, len_bytes, key, descriptor_bytes;
    UINT32 version;
    EFI_STATUS status = services->GetMemoryMap(&capacity, NULL, &key, &descriptor_bytes, &version);

    if (status != EFI_BUFFER_TOO_SMALL)
        return complain(status, "cannot size the memory map");
    capacity += MAP_SLACK_BYTES;
    status = alloc_low(capacity, &addr);
    if (EFI_ERROR(status))
        return complain(status, "no memory for the memory map");

    for (int i = 0; i < EXIT_TRIES; i++) {
        len_bytes = capacity;
        status = services->GetMemoryMap(&len_bytes, (EFI_MEMORY_DESCRIPTOR *)addr, &key,
                                        &descriptor_bytes, &version);
        if (EFI_ERROR(status))
            return status;
        handoff->memory_map = addr;
        handoff->memory_map_bytes = len_bytes;
        handoff->memory_descriptor_bytes = descriptor_bytes;
        status = services->ExitBootServices(image, key);
        if (!EFI_ERROR(status))
            return status;
    }
    return status;
}

/* Drops the end of line that editors put there. */
static void trim_end(struct file *text)
{
    char *bytes = text->bytes;

    while (text->len_bytes && (UINT8)bytes[text->len_bytes - 1] <= ' ')
        bytes[--text->len_bytes] = '\0';
}

static EFI_STATUS read_volume(EFI_HANDLE image, struct file *kernel, struct file *initramfs,
                              struct file *cmdline)
{
    EFI_LOADED_IMAGE_PROTOCOL *self;
    EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
    EFI_STATUS status = services->HandleProtocol(image, &guid, (void **)&self);
    EFI_FILE_PROTOCOL *root = EFI_ERROR(status) ? NULL : LibOpenRoot(self->DeviceHandle);

    if (root == NULL)
        return complain(EFI_NO_MEDIA, "cannot open the volume this loader came from");
    status = read_file(root, L"\\bulla.elf", kernel);
    if (EFI_ERROR(status))
        return complain(status, "cannot read \\bulla.elf");
    status = read_optional_file(root, L"\\initramfs.cpio", initramfs);
    if (EFI_ERROR(status))
        return complain(status, "cannot read \\initramfs.cpio");
    status = read_optional_file(root, L"\\cmdline.txt", cmdline);
    if (EFI_ERROR(status))
        return complain(status, "cannot read \\cmdline.txt");
    trim_end(cmdline);
    return EFI_SUCCESS;
}

static EFI_STATUS load_kernel(const struct file *file, UINT64 *entry)
{
    struct kernel_image kernel;
    UINT64 load_offset;
    EFI_STATUS status;
    const char *problem = kernel_image_parse(file->bytes, file->len_bytes, &kernel);

    if (problem != NULL)
        return complain(EFI_LOAD_ERROR, problem);
    status = place_kernel(&kernel, &load_offset);
    if (EFI_ERROR(status))
        return complain(status, "no memory below 4 GiB for the kernel");
    kernel_image_load(&kernel, (uint8_t *)(kernel.start + load_offset));
    *entry = kernel.entry + load_offset;
    return EFI_SUCCESS;
}

static EFI_STATUS start_kernel(EFI_HANDLE image)
{
    struct file kernel, initramfs, cmdline;
    EFI_PHYSICAL_ADDRESS handoff_addr;
    struct efi_handoff *handoff;
    UINT64 entry;
    EFI_STATUS status;

    status = read_volume(image, &kernel, &initramfs, &cmdline);
    if (EFI_ERROR(status))
        return status;
    status = load_kernel(&kernel, &entry);
    if (EFI_ERROR(status))
        return status;
    status = alloc_low(sizeof(*handoff), &handoff_addr);
    if (EFI_ERROR(status))
        return complain(status, "no memory for the handoff");

    handoff = (struct efi_handoff *)handoff_addr;
    *handoff = (struct efi_handoff){
        .magic = EFI_HANDOFF_MAGIC,
        .version = EFI_HANDOFF_VERSION,
        .size_bytes = sizeof(*handoff),
        .initramfs = (UINT64)initramfs.bytes,
        .initramfs_bytes = initramfs.len_bytes,
        .cmdline = (UINT64)cmdline.bytes,
        .rsdp = find_rsdp(),
    };
    find_framebuffer(handoff);
    status = exit_boot_services(image, handoff);
    if (EFI_ERROR(status))
        return status;
    ((void (*)(struct efi_handoff *))entry)(handoff);
    return EFI_ABORTED; /* the kernel does not return */
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_STATUS status;

    InitializeLib(image, system);
    services = system->BootServices;
    status = start_kernel(image);
    /* Under a test an emulator ends here with status 35; else firmware tries what comes next. */
    __asm__ volatile("outb %0, %1" : : "a"((UINT8)DEBUG_EXIT_FAIL), "Nd"((UINT16)DEBUG_EXIT_PORT));
    return status;
}
