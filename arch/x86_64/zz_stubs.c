#include <asm/console.h>
#include <asm/smp.h>
#include <asm/power.h>
#include <asm/backtrace.h>
#include <asm/machine.h>
#include "entry.h"
#include "insn.h"
#include "apic.h"
#include <upcalls.h>
void screen_init(const struct boot_framebuffer *fb){(void)fb;} void screen_write(const char *b, size_t n){(void)b;(void)n;}
void apic_send_ipi(unsigned c, unsigned v){(void)c;(void)v;}
void interrupt_dispatch(struct trap_frame *f, unsigned v){(void)f;(void)v;}
void smp_stop_others(void){}
void backtrace_print(const struct trap_frame *f){(void)f;}
_Noreturn void machine_power_off(enum exit_code c){outl(0xf4,c); for(;;) __asm__("hlt");}
_Noreturn void machine_halt_this_cpu(void){for(;;) __asm__("cli;hlt");}
bool upcall_fault(struct trap_frame *f, uint64_t a){(void)f;(void)a;return false;}
void upcall_syscall(struct trap_frame *f){(void)f;}
