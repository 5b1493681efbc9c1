# shellcheck disable=all
# Applets of busybox on files, each by its name; run in an empty directory. See test_shell.py.
seq 1 20 > numbers
printf 'pear 3\napple 10\nfig 7\napple 2\n' > fruit
wc -l numbers; head -n 3 numbers; tail -n 2 numbers
sort fruit; sort -k2 -n fruit; sort fruit | uniq -w 5 -c | sed 's/^ *//'
cut -d ' ' -f 1 fruit | tr a-z A-Z
grep -n apple fruit; grep -c . fruit; egrep 'p{2}' fruit; fgrep -v fig fruit
sed -n '2,3p' fruit; sed 's/\(.*\) \(.*\)/\2 \1/' fruit
awk '{ sum += $2 } END { print NR, sum }' fruit
paste -d , numbers fruit | head -n 5; nl fruit; rev fruit; tac fruit
expr 6 \* 7; factor 1001; echo '2^100' | bc; echo '3 4 * p' | dc
basename /usr/lib/libc.a .a; dirname /usr/lib/libc.a; realpath /../tmp/./..
mkdir -p tree/a/b tree/c && touch tree/a/one tree/c/two && find tree | sort
cp -r tree copy && mv copy/c copy/d && rm -r copy/a && find copy | sort
ln -s numbers link && readlink link && cat link | head -n 1
ln numbers hard && stat -c '%h %s %F' hard
rm hard; stat -c %h numbers; chmod 640 fruit; stat -c '%a %A' fruit
md5sum fruit; sha1sum fruit; sha256sum fruit; sha512sum fruit; sha3sum fruit; crc32 fruit
base64 fruit; base64 fruit | base64 -d | cmp - fruit && echo equal
uuencode fruit name | uudecode -o -
od -c fruit | head -n 2; hexdump -C fruit | head -n 2; xxd fruit | head -n 2; strings fruit
dd if=/dev/zero of=zeros bs=1024 count=64 2>/dev/null && stat -c %s zeros; truncate -s 100 zeros
stat -c %s zeros
gzip -c numbers | gunzip -c | cmp - numbers && echo gzip
bzip2 -c numbers | bunzip2 -c | cmp - numbers && echo bzip2
tar -cf tree.tar tree && tar -tf tree.tar | sort
mkdir out && tar -xf tree.tar -C out && find out | sort
find tree | sort | cpio -o -H newc 2>/dev/null | cpio -it 2>/dev/null
diff fruit numbers | head -n 3; sort fruit > sorted; diff sorted sorted && echo same
fold -w 4 fruit | head -n 3; expand fruit | head -n 1
shuf numbers | sort -n | cmp - numbers && echo whole
printf '%s\n' one two three | xargs -n 2 echo; find tree -type f -exec basename {} \; | sort
yes no | head -n 2; seq 3 | tee third | wc -l; cat third; echo a b c | xargs -n 1 echo
date -u -d @86400 +%F; cal 2 2024; sleep 0.01; usleep 10; true; false || echo false
mktemp -u /tmp/XXXXXX | wc -c; env -i A=1 env; stat -f -c %T . >/dev/null && echo known
du -s tree > /dev/null && echo du; ls -1 tree; test -d tree -a ! -e gone && echo there
timeout 5 echo in time; timeout 1 sleep 9; echo $?; setsid echo session; taskset 1 echo pinned
ed fruit <<'END'
1d
w
q
END
cat fruit; printf 'x\ny\n' > old; printf 'x\nz\n' > new; diff -u old new > change
patch old < change; cat old
mkfifo pipe && { cat pipe & echo through a pipe with a name > pipe; wait; }
unlink pipe; ls -1; cat missing; mkdir tree; rmdir tree; ln -s loop loop; cat loop; cat tree
ls "$(printf %0300d 0)" 2>&1 | sed 's/0\{9,\}/zeros/'
