# shellcheck disable=all
# What a shell asks of a kernel: processes, pipes, descriptors, signals. See test_shell.py.
echo a pipeline | cat | cat | tr a-z A-Z | cat
(cd / && pwd); (exit 7); echo $?; x=1; (x=2); echo $x
for i in 1 2 3; do (for j in a b; do echo $i$j; done) & wait; done
sleep 0.2 & sleep 0.1 & wait; echo both ended
(exit 3) & wait $!; echo $?
{ sleep 9 & kill $!; wait $!; } 2>/dev/null; echo $?
trap 'echo caught' USR1; kill -USR1 $$; trap - USR1
(trap 'echo leaving' EXIT; exit 4); echo $?
sh -c 'kill -SEGV $$; true' 2>/dev/null; echo $?
sh -c 'trap "" TERM; kill -TERM $$; echo ignored'
cat > heard <<'END'
trap "echo parent heard; exit 5" USR1; sh -c 'kill -USR1 $PPID; true'; sleep 1; echo not reached
END
sh heard; echo $?
cat <<END
here $((6 * 7)) $(echo document) `echo quoted`
END
cat <<'END' | wc -c
$untouched
END
exec 3> file; echo three >&3; exec 3>&-; cat file; exec 4< file; read line <&4
echo "read $line"; exec 4<&-
{ echo error >&2; } 2> file; cat file; { echo out; echo both >&2; } > file 2>&1; cat file
echo more >> file; wc -l < file
set -- a 'b c' d; echo $#; for w in "$@"; do echo "<$w>"; done; shift; echo "$1"
f() { local y=5; echo "f $1 $y"; return 6; }; f arg; echo $?
case abc in a*) echo glob;; esac; echo *.none; touch one.t two.t; echo *.t
echo ${x:-unset} ${none:-default} ${#HOME} ${x%1} "$((0x10 + 010))" > /dev/null; y=abcabc
echo ${y#a} ${y##*a} ${y%c} ${y/b/X}
i=0; while [ $i -lt 300 ]; do i=$((i + 1)); /bin/busybox true; done; echo $i
seq 1 100000 | sort -n | tail -n 1; yes | head -n 100000 | wc -l
seq 1 2000 | while read n; do [ $((n % 500)) = 0 ] && echo $n; done
mkfifo p; (echo from below > p) & read line < p; echo "$line"; wait
(sleep 0.1; echo slow) | { read a; echo got $a; }
(ulimit -n 16; ulimit -n); umask; (umask 077; touch private; stat -c %a private)
type echo cat; command -v sh > /dev/null && echo sh; eval 'echo eval'; echo 'echo sourced' > s
. ./s
set -e; (false; echo never) || true; set +e; set -u; (echo $nothing) 2>/dev/null; echo $?; set +u
until [ -e late ]; do touch late; done; ls late; test -t 0 || echo no terminal
getopts ab: o -a -b val; echo $o; printf '%05d|%-5s|%x\n' 42 ab 255; echo done
