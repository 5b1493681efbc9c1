// SPDX-License-Identifier: MIT
// What a sandbox does with memory: a file is made read-only for good and handed to a child in a PID
// namespace of its own, which reads it, runs it, and can change nothing.

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unsafe"
)

const (
	sysMemfdCreate   = 319
	mfdCloexec       = 1
	mfdAllowSealing  = 2
	fAddSeals        = 1033
	fGetSeals        = 1034
	readOnlyForGood  = 1 | 2 | 4 | 8 // seal, shrink, grow, write
	socketOfTheChild = 3
)

func fcntl(f *os.File, command, argument uintptr) (uintptr, error) {
	value, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), command, argument)
	if errno != 0 {
		return 0, errno
	}
	return value, nil
}

// newMemory is an empty file that is only memory, and can be sealed.
func newMemory(name string) (*os.File, error) {
	cname := append([]byte(name), 0)
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(&cname[0])),
		mfdCloexec|mfdAllowSealing, 0)
	if errno != 0 {
		return nil, fmt.Errorf("memfd_create: %w", errno)
	}
	return os.NewFile(fd, name), nil
}

// sealedCopy is a file with what the reader has, read-only for good, to be read from the start.
func sealedCopy(name string, from io.Reader) (*os.File, error) {
	f, err := newMemory(name)
	if err != nil {
		return nil, err
	}
	if _, err = f.ReadFrom(from); err == nil {
		_, err = fcntl(f, fAddSeals, readOnlyForGood)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// tryToChange says what each way to change the file answers.
func tryToChange(f *os.File) {
	link := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	_, err := f.Write([]byte("x"))
	fmt.Println("write:", underlying(err))
	_, err = f.WriteAt([]byte("x"), 1<<20)
	fmt.Println("write beyond the end:", underlying(err))
	fmt.Println("shrink:", underlying(f.Truncate(0)), "grow:", underlying(f.Truncate(1<<20)))
	fmt.Println("allocate:", syscall.Fallocate(int(f.Fd()), 0, 0, 1<<20))
	fmt.Println("hole:", syscall.Fallocate(int(f.Fd()), 3, 0, 4096))
	_, err = syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	fmt.Println("map to write:", err)
	m, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
	fmt.Println("map to read:", err, "then write:", syscall.Mprotect(m, syscall.PROT_READ|syscall.PROT_WRITE))
	_, err = os.OpenFile(link, os.O_RDWR|os.O_TRUNC, 0)
	fmt.Println("open to truncate:", underlying(err))
	again, err := os.OpenFile(link, os.O_RDWR, 0)
	must(err)
	_, err = again.Write([]byte("x"))
	fmt.Println("write to what was opened again:", underlying(err))
	_, err = fcntl(f, fAddSeals, 0)
	fmt.Println("seal:", err)
}

func underlying(err error) error {
	if path, ok := err.(*os.PathError); ok {
		return path.Err
	}
	return err
}

// receive is the file that comes over the socket.
func receive(socket int) *os.File {
	control := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := syscall.Recvmsg(socket, make([]byte, 1), control, syscall.MSG_CMSG_CLOEXEC)
	must(err)
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	must(err)
	fds, err := syscall.ParseUnixRights(&messages[0])
	must(err)
	return os.NewFile(uintptr(fds[0]), "received")
}

func reader() {
	f := receive(socketOfTheChild)
	text, err := io.ReadAll(f)
	must(err)
	seals, err := fcntl(f, fGetSeals, 0)
	must(err)
	fmt.Println("process", os.Getpid(), "read", len(text), "bytes under seals", seals)
	tryToChange(f)
	again, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	must(err)
	fmt.Println("as it was:", bytes.Equal(text, again))
}

func program() {
	self, err := os.Readlink("/proc/self/exe")
	must(err)
	fmt.Println("process", os.Getpid(), "runs", self)
	_, err = os.OpenFile("/proc/self/exe", os.O_RDWR, 0)
	fmt.Println("own text:", underlying(err))
}

// inNamespace runs a program as process 1 of a PID namespace.
func inNamespace(path, role string, file *os.File) {
	c := exec.Command(path, role)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.ExtraFiles = []*os.File{file}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	must(c.Run())
}

func handOver(f *os.File) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(err)
	must(syscall.Sendmsg(pair[0], []byte("f"), syscall.UnixRights(int(f.Fd())), nil, 0))
	inNamespace("/proc/self/exe", "reader", os.NewFile(uintptr(pair[1]), "socket"))
}

func main() {
	if len(os.Args) > 1 {
		map[string]func(){"reader": reader, "program": program}[os.Args[1]]()
		return
	}
	text := strings.Repeat("what the sandbox is given. ", 1000)
	f, err := sealedCopy("input", strings.NewReader(text))
	must(err)
	handOver(f)

	self, err := os.Open("/proc/self/exe")
	must(err)
	p, err := sealedCopy("program", self)
	must(err)
	inNamespace(fmt.Sprintf("/proc/self/fd/%d", p.Fd()), "program", p)
	kept, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	must(err)
	fmt.Println("still there:", string(kept) == text)
}
