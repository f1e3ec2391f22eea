"""Programs that wear out the machine, the clock, the compiler and the readers of output; a few are only odd."""

from sandbox import Assert, Stdin
from tests.sandbox.hostile import ASSERT, CALL, Attack

SUM = "print(sum(map(int, input().split())))"

RESOURCES = [
    Attack("memory by mmap", "memory_limit", """
import mmap
m = mmap.mmap(-1, 4 << 30)
for at in range(0, 4 << 30, 4096): m[at] = 1
"""),
    Attack("memory in processes that nobody may look into", "memory_limit", """
import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
for _ in range(8):
    if os.fork() == 0:
        x = bytearray(b'x') * (100 << 20)
        time.sleep(2)
        os._exit(0)
for _ in range(8): os.wait()
print(7)
""", cpu_s=5),
    Attack("memory by decompression", "memory_limit", """
import zlib
bomb = zlib.compress(bytes(1 << 24), 1)
x = [zlib.decompress(bomb) for _ in range(1000)]
""", cpu_s=5),
    Attack("memory by formatting", "memory_limit", "print('{:>9999999999}'.format(7))"),
    Attack("memory by a list of a range", "memory_limit", "x = list(range(10**11))"),
    Attack("memory in threads", "memory_limit runtime_error process_limit", """
import threading
def f(): x = [bytearray(b'x') * (1 << 20) for _ in range(200)]; threading.Event().wait(60)
for _ in range(8): threading.Thread(target=f).start()
""", cpu_s=3),
    Attack("memory that shrinks before the end", "memory_limit", """
x = bytearray(b'x') * (1 << 20) * 600
del x
print(7)
""", cpu_s=3),
    Attack("a MemoryError that is caught", "memory_limit time_limit", """
x = []
while True:
    try: x.append(bytearray(b'x') * (1 << 22))
    except MemoryError: pass
""", cpu_s=1),
    Attack("shared memory", "memory_limit runtime_error", """
from multiprocessing import shared_memory
s = shared_memory.SharedMemory(create=True, size=1 << 30)
for at in range(0, 1 << 30, 4096): s.buf[at] = 1
"""),
    Attack("a sparse output", "output_limit runtime_error", """
import os
os.ftruncate(1, 1 << 40)
"""),
    Attack("an output with a hole", "output_limit runtime_error", """
import os
os.lseek(1, 1 << 33, 0)
os.write(1, b'7')
"""),
    Attack("output just over the limit", "output_limit", "print('7' + ' ' * (8 << 20))"),
    Attack("pipes filled", "time_limit", """
import os
r, w = os.pipe()
while True: os.write(w, bytes(1 << 16))
"""),
    Attack("a tree of folders", "runtime_error time_limit ok", """
import os
for n in range(5000):
    os.mkdir('d')
    os.chdir('d')
print(7)
""", cpu_s=1),
    Attack("names that no one can delete", "ok", """
import os
os.makedirs(b'/tmp/\\xff/\\n/a')
os.symlink('/proc/self/root', '/tmp/loop')
os.mkfifo('/tmp/pipe')
os.chmod('/tmp/\\udcff', 0)
""" + SUM),
    Attack("lower limits for itself", "ok memory_limit runtime_error", """
import resource
for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK):
    resource.setrlimit(what, (0, 0))
""" + SUM),
    Attack("no output allowed to itself", "runtime_error", """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
""" + SUM),
    Attack("higher limits for itself", "time_limit", """
import resource
for what in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NPROC):
    try: resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError): pass
while True: pass
"""),
]  # fmt: skip

TIME = [
    Attack("a loop in C", "time_limit", """
import itertools
all(itertools.repeat(1))
"""),
    Attack("a regular expression that backtracks", "time_limit", """
import re
re.match('(a+)+$', 'a' * 60 + 'b')
"""),
    Attack("a number too large", "time_limit memory_limit", "x = 10 ** 10 ** 8"),
    Attack("a patched clock", "time_limit", """
import time
time.time = time.monotonic = time.perf_counter = time.process_time = time.thread_time = lambda: 0.0
time.sleep = lambda s: None
while True: time.sleep(1)
"""),
    Attack("timers in place of the limit", "time_limit", """
import signal
for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF): signal.setitimer(which, 0)
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
while True: pass
"""),
    Attack("naps", "time_limit", """
import time
while True: time.sleep(0.02)
"""),
    Attack("a lock that nobody releases", "time_limit", """
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire()
"""),
    Attack("a thread that is waited for", "time_limit", """
import threading
threading.Thread(target=threading.Event().wait).start()
print(7)
"""),
    Attack("a shell that loops", "time_limit", """
import os
os.system('while :; do :; done')
"""),
    Attack("another Python that loops", "time_limit", """
import subprocess, sys
subprocess.run([sys.executable, '-S', '-c', 'while True: pass'])
""", cpu_s=0.6),
    Attack("the loop goes on in the child", "time_limit", """
import os
if os.fork() == 0:
    os.setsid()
    while True: pass
os.waitpid(-1, 0)
"""),
    Attack("time up inside a call", "time_limit", """
def add(a, b):
    try:
        while True: pass
    finally:
        return 7
""", CALL),
    Attack("time up while asserting", "time_limit", """
class A:
    def __bool__(self):
        while True: pass
def add(a, b): return A()
""", Assert(code="assert add(3, 4)")),
    Attack("time up in an equality that nobody asks", "wrong_answer", """
class A:
    def __eq__(self, other):
        while True: pass
    __bool__ = __hash__ = __repr__ = __eq__
def add(a, b): return A()
""", ASSERT),
    Attack("a context that never leaves", "time_limit", """
import contextlib
def gen():
    while True:
        try: yield
        except BaseException: pass
for _ in gen(): pass
"""),
]  # fmt: skip

SIGNALS = [
    Attack("kill its group", "runtime_error", """
import os, signal
os.kill(0, signal.SIGKILL)
"""),
    Attack("terminate itself", "runtime_error", """
import os, signal
os.kill(os.getpid(), signal.SIGTERM)
"""),
    Attack("an alarm of its own", "runtime_error", """
import signal, time
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(60)
"""),
    Attack("every signal to everyone", "ok runtime_error", """
import os, signal
for n in signal.valid_signals():
    for pid in (1, os.getppid()):
        try: os.kill(pid, n)
        except OSError: pass
""" + SUM),
    Attack("an interrupt to everyone", "ok", """
import os, signal
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE):
    for pid in (1, os.getppid()):
        for _ in range(20):
            try: os.kill(pid, n) if pid not in (0, os.getpid()) else None
            except PermissionError: pass
""" + SUM),
    Attack("a crash that is handled", "time_limit runtime_error", """
import ctypes, signal
signal.signal(signal.SIGSEGV, lambda *a: None)
ctypes.string_at(0)
"""),
    Attack("a crash in a thread", "runtime_error", """
import ctypes, threading
t = threading.Thread(target=ctypes.string_at, args=(0,))
t.start(); t.join()
"""),
    Attack("a crash of a child", "ok", """
import ctypes, os
if os.fork() == 0: ctypes.string_at(0)
os.wait()
""" + SUM),
    Attack("signals blocked", "time_limit", """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True: pass
"""),
    Attack("a quick end from a thread", "ok", """
import os, threading
print(sum(map(int, input().split())), flush=True)
threading.Thread(target=os._exit, args=(0,)).start()
"""),
    Attack("real-time priority", "ok", """
import os
for act in (lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)), lambda: os.nice(-20),
            lambda: os.setpriority(os.PRIO_PGRP, 0, -20), lambda: os.sched_setaffinity(1, {0})):
    try: act()
    except OSError: pass
    else: print('refused nothing')
""" + SUM),
]  # fmt: skip

COMPILED = [
    Attack("nested too deep to compile", "compile_error", "x = " + "(" * 5000 + ")" * 5000),
    Attack("a long chain to compile", "compile_error runtime_error memory_limit", "x = " + "-" * 200_000 + "1"),
    Attack("many blocks", "compile_error", "".join(" " * n + "if 1:\n" for n in range(150)) + " " * 150 + "pass"),
    Attack("a NUL in the source", "compile_error", "print(7)\0"),
    Attack("half a surrogate in the source", "compile_error", "print('\udc80')"),
    Attack("a syntax error", "compile_error", "print(7"),
    Attack("a syntax error, asserted", "compile_error", "def add(a, b): return 7)", ASSERT),
    Attack("a syntax error, called", "compile_error", "def add(a, b) return 7", CALL),
    Attack("deep code for eval", "runtime_error memory_limit", "eval('[' * 100000)"),
    Attack("a return outside", "compile_error", "return 7"),
    Attack("a constant to fold", "memory_limit time_limit compile_error", "print((1 << 4000) ** 100000 * 'x')"),
    Attack("recursion in repr", "runtime_error memory_limit", """
class A:
    def __repr__(self): return repr(self)
repr(A())
"""),
    Attack("recursion through destructors", "ok runtime_error memory_limit time_limit", """
x = None
for _ in range(200000): x = [x]
del x
""" + SUM, cpu_s=1),
    Attack("recursion in a thread", "runtime_error memory_limit time_limit", """
import sys, threading
sys.setrecursionlimit(10**6)
threading.stack_size(1 << 26)
def f(n): return f(n + 1)
t = threading.Thread(target=f, args=(0,))
t.start(); t.join()
raise SystemExit(1)
"""),
]  # fmt: skip

OUTPUT = [
    Attack("output that is no UTF-8", "wrong_answer", "import sys\nsys.stdout.buffer.write(b'7\\xff\\n')"),
    Attack("output with a byte order mark", "wrong_answer", "print('\\ufeff7')"),
    Attack("output in UTF-16", "wrong_answer", "import sys\nsys.stdout.buffer.write('7\\n'.encode('utf-16'))"),
    Attack("a NUL after the answer", "wrong_answer", "print('7\\0')"),
    Attack("a digit of another script", "wrong_answer", "print('\\uff17')"),
    Attack("a no-break space", "wrong_answer", "print('7\\u00a0')"),
    Attack("colours", "wrong_answer", "print('\\x1b[1m7\\x1b[0m')"),
    Attack("half a surrogate", "runtime_error", "print('7\\udc80')"),
    Attack("the answer among others", "wrong_answer", "for n in range(20): print(n)"),
    Attack("the answer, and then more", "wrong_answer", "print(7)\nprint(7)"),
    Attack("the answer with a point", "wrong_answer", "print(7.0)"),
    Attack("the answer with a sign", "wrong_answer", "print('+7')"),
    Attack("the answer in words", "wrong_answer", "print('The answer is 7')"),
    Attack("spaces by the megabyte", "ok", "print(7)\nprint(' ' * (4 << 20))"),
    Attack("line ends of another system", "ok", "print('7', end='\\r\\n')"),
    Attack("every byte", "wrong_answer", "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 4096)"),
    Attack("a value that JSON cannot hold", "wrong_answer", "def add(a, b): return object()", CALL),
    Attack("a value of NaN", "wrong_answer", "def add(a, b): return float('nan')", CALL),
    Attack("a truth for a number", "wrong_answer", "def add(a, b): return True", CALL),
    Attack("text for a number", "wrong_answer", "def add(a, b): return '7'", CALL),
    Attack("a number of a million digits", "wrong_answer time_limit", "def add(a, b): return 1 << 3400000", CALL),
    Attack("more input than there is", "runtime_error", "input()\ninput()"),
    Attack("input that is not asked for", "ok", "print(7)", Stdin(input="x" * (1 << 20), expected="7")),
    Attack("another Python answers", "ok", """
import os, sys
os.execv(sys.executable, [sys.executable, '-I', '-c', 'print(sum(map(int, input().split())))'])
""", cpu_s=2),
    Attack("a thread answers after the end", "ok", """
import threading
threading.Timer(0.02, lambda: print(sum(map(int, input().split())))).start()
"""),
]  # fmt: skip

DESCRIPTORS = [
    Attack("every descriptor closed, then an answer", "wrong_answer runtime_error", """
import os
os.closerange(0, 4096)
os.write(1, b'7')
"""),
    Attack("every descriptor a copy of stdout", "wrong_answer runtime_error", """
import os
for fd in range(2, 200): os.dup2(1, fd)
for fd in range(200): os.write(fd, b'7 ')
"""),
    Attack("no descriptor left", "ok", """
import os
text = input()
try:
    while True: os.open('/dev/null', os.O_RDONLY)
except OSError: pass
print(sum(map(int, text.split())))
"""),
    Attack("no descriptor left, called", "ok", """
import os
def add(a, b):
    try:
        while True: os.open('/dev/null', os.O_RDONLY)
    except OSError: pass
    return a + b
""", CALL),
    Attack("locks, leases and seals on every descriptor", "ok runtime_error", """
import fcntl, os, signal
text = input()
for fd in range(64):
    for act in (lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
                lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
                lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK), lambda: fcntl.fcntl(fd, 1033, 1 | 2),
                lambda: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC | os.O_APPEND),
                lambda: fcntl.fcntl(fd, fcntl.F_SETOWN, 1), lambda: fcntl.fcntl(fd, 10, signal.SIGKILL)):
        try: act()
        except (OSError, ValueError): pass
print(sum(map(int, text.split())))
"""),
    Attack("no writing any more", "runtime_error wrong_answer ok", """
import fcntl
for fd in range(64):
    try: fcntl.fcntl(fd, 1033, 8)  # F_SEAL_WRITE
    except (OSError, ValueError): pass
print(7)
"""),
    Attack("stdin rewritten", "ok runtime_error", """
import os
text = os.read(0, 100)
try: os.pwrite(0, b'9 9\\n', 0); os.ftruncate(0, 0)
except OSError: pass
print(sum(map(int, text.split())))
"""),
    Attack("descriptors of others by their names", "ok", """
import os
text = input()
for pid in os.listdir('/proc'):
    if not pid.isdigit() or int(pid) == os.getpid(): continue
    try:
        for fd in os.listdir(f'/proc/{pid}/fd'): os.write(os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY), b'x')
    except OSError: pass
print(sum(map(int, text.split())))
"""),
]  # fmt: skip

ABUSES = [*RESOURCES, *TIME, *SIGNALS, *COMPILED, *OUTPUT, *DESCRIPTORS]
