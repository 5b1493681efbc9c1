// SPDX-License-Identifier: MIT
// A memfd with seals, files, directories, a child process, from Go.

package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

func main() {
	name := []byte("go\x00")
	fd, _, e := syscall.Syscall(319, uintptr(unsafe.Pointer(&name[0])), 3, 0)
	fmt.Println("memfd_create", e)
	f := os.NewFile(fd, "memfd")
	fmt.Println(f.Truncate(8192))
	m, err := syscall.Mmap(int(fd), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	fmt.Println(len(m), err)
	copy(m[4000:], "hello across a page border ............................................................................................................")
	b := make([]byte, 200)
	n, err := f.ReadAt(b, 4000)
	fmt.Println(n, err, string(b[:20]))
	s, _, e := syscall.Syscall(72, fd, 1033, 2|4|8)
	fmt.Println(s, e)
	fmt.Println(syscall.Munmap(m))
	s, _, e = syscall.Syscall(72, fd, 1033, 2|4|8)
	fmt.Println(s, e)
	_, err = f.WriteAt([]byte("x"), 0)
	fmt.Println(err)
	st, err := f.Stat()
	fmt.Println(st.Size(), st.Name(), err)
	d, err := os.ReadFile("/proc/self/comm")
	fmt.Print(string(d), err, "\n")
	err = os.WriteFile("/tmp/a", []byte("abc"), 0644)
	es, err2 := os.ReadDir("/tmp")
	fmt.Println(err, len(es) > 0, err2)
	if len(os.Args) > 1 {
		return
	}
	p, err := os.StartProcess("/proc/self/exe", []string{"x", "child"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if len(os.Args) > 1 {
		return
	}
	if err == nil {
		ps, err := p.Wait()
		fmt.Println(ps, err)
	} else {
		fmt.Println(err)
	}
}
