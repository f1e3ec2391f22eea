"""Programs that attack the sandbox, each with the reasons that may be reported of it.

Unless said otherwise each is a script: it gets "3 4\n" and should print "7\n".
"""

from dataclasses import dataclass

from sandbox import Assert, Call, Case, Limits, Stdin

ADD = Stdin(input="3 4\n", expected="7\n")
CALL = Call(args=[3, 4], expected=7)
ASSERT = Assert(code="assert add(3, 4) == 7")
LOOP = Assert(code="for a in [3]:\n    assert add(a, 4) == 7")  # runs inside as it stands


@dataclass(frozen=True)
class Attack:
    """A program, its tests, and the reasons that are right for it (`ok` where it does its job besides).

    `cpu_s` is what an endless one may take; one that ends has the time that it needs on a slow machine, and more.
    """

    name: str
    reasons: str
    source: str
    case: Case = ADD
    cpu_s: float = 0.3
    more: tuple[Case, ...] = ()

    def limits(self) -> Limits:
        """The limits that it is run under: short only where time is what ends it."""
        endless = "time_limit" in self.reasons
        seconds = self.cpu_s if endless else max(2.0, 2 * self.cpu_s)
        return Limits(cpu_s=seconds, wall_s=1.0 if endless else seconds, memory_mb=256, output_mb=8, processes=32)


ATTACKS = [
    # Using up the machine.
    Attack("fork bomb", "process_limit time_limit runtime_error", """
import os
while True: os.fork()
"""),
    Attack("fork bomb that ignores failure", "process_limit time_limit runtime_error", """
import os
while True:
    try: os.fork()
    except OSError: pass
"""),
    Attack("fork bomb, then the answer", "ok process_limit runtime_error", """
import os, time
main = os.getpid()
for _ in range(500):
    try:
        if os.fork() == 0: time.sleep(60)
    except OSError: break
print(sum(map(int, input().split())))
"""),
    Attack("thread bomb", "process_limit time_limit runtime_error", """
import threading, time
while True: threading.Thread(target=time.sleep, args=(60,)).start()
"""),
    Attack("endless output", "output_limit", "while True: print('x' * 1000)"),
    Attack("endless output in one process of many", "output_limit time_limit", """
import os
os.fork()
os.fork()
while True:
    try: os.write(1, b'x' * 65536)
    except OSError: pass
"""),
    Attack("endless error output", "time_limit", """
import sys
while True: print('x' * 1000, file=sys.stderr)
"""),
    Attack("memory in a list", "memory_limit", """
x = []
while True: x.append('x' * 1000000)
"""),
    Attack("memory at once", "memory_limit", "x = bytearray(8 << 30)"),
    Attack("memory in many processes", "memory_limit", """
import os, time
for _ in range(12):
    if os.fork() == 0: break
x = [bytearray(b'x') * (1 << 20) for _ in range(90)]
time.sleep(60)
""", cpu_s=5),
    Attack("memory in /tmp", "runtime_error memory_limit", """
for n in range(1000):
    with open(f'/tmp/{n}', 'wb') as f: f.write(b'x' * (1 << 20))
"""),
    Attack("memory in /dev/shm", "runtime_error memory_limit", """
for n in range(1000):
    with open(f'/dev/shm/{n}', 'wb') as f: f.write(b'x' * (1 << 20))
"""),
    Attack("many files", "runtime_error", "for n in range(10**6): open(f'/tmp/{n}', 'w').close()"),
    Attack("many descriptors", "runtime_error", "x = [open('/dev/null') for _ in range(10**6)]"),
    Attack("a huge value", "memory_limit output_limit time_limit", "def add(a, b): return 'x' * (1 << 29)", CALL),
    Attack("a value too large to report", "output_limit", "def add(a, b): return 'x' * (20 << 20)", CALL),
    # Using up time.
    Attack("loop", "time_limit", "while True: pass"),
    Attack("loop in a thread", "time_limit", """
import threading
def f():
    while True: pass
threading.Thread(target=f).start()
"""),
    Attack("loop in a child", "time_limit", """
import os
if os.fork() == 0:
    while True: pass
os.wait()
"""),
    Attack("loop in children of children", "time_limit", """
import os
for _ in range(50):
    if os.fork(): os.wait(); os._exit(0)
    for _ in range(10**7): pass
while True: pass
"""),
    Attack("loop in children that nobody counts", "time_limit", """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        for _ in range(10**5): pass
        os._exit(0)
    try: os.wait()
    except ChildProcessError: pass
"""),
    Attack("a value of many small parts", "wrong_answer", "def add(a, b): return [[]] * (3 * 10**5)", CALL, cpu_s=5),
    Attack("sleep", "time_limit", """
import time
time.sleep(600)
"""),
    Attack("stop itself", "time_limit", """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
"""),
    Attack("wait for input that never comes", "time_limit", """
import os
r, w = os.pipe()
os.read(r, 1)
"""),
    Attack("catch everything", "time_limit", """
while True:
    try:
        while True: pass
    except BaseException: pass
"""),
    Attack("ignore every signal", "time_limit", """
import signal
for n in signal.valid_signals():
    try: signal.signal(n, signal.SIG_IGN)
    except OSError: pass
while True: pass
"""),
    Attack("loop while compiling", "time_limit memory_limit compile_error", """
x = 1
x = (10**7)**(10**6)
"""),
    Attack("a __del__ that loops", "ok time_limit", """
class A:
    def __del__(self):
        while True: pass
a = A()
print(sum(map(int, input().split())))
"""),
    Attack("an exit function that loops", "time_limit", """
import atexit
def f():
    while True: pass
atexit.register(f)
print(sum(map(int, input().split())))
"""),
    # Ending early.
    Attack("exit 0 without output", "wrong_answer", """
import sys
sys.exit(0)
"""),
    Attack("right answer, then exit 3", "runtime_error", """
print(7)
import sys
sys.exit(3)
"""),
    Attack("right answer, then a crash", "runtime_error", """
print(7)
1 / 0
"""),
    Attack("right answer, then a crash at exit", "runtime_error", """
print(7, flush=True)
import os
os.abort()
"""),
    Attack("exit 0 in a call", "runtime_error", """
import os
def add(a, b): os._exit(0)
""", CALL),
    Attack("exit 0 while defining, call", "runtime_error", """
import os
os._exit(0)
""", CALL),
    Attack("sys.exit in a call", "runtime_error", """
import sys
def add(a, b): sys.exit(0)
""", CALL),
    Attack("exit 0 in an assert", "runtime_error", """
import os
def add(a, b): os._exit(0)
""", ASSERT),
    Attack("exit 0 before the asserts", "runtime_error", """
import os
os._exit(0)
""", ASSERT),
    Attack("sys.exit before the asserts", "runtime_error", """
import sys
sys.exit(0)
""", ASSERT),
    Attack("exit 0 from a thread", "runtime_error", """
import os, threading, time
def add(a, b): time.sleep(60)
threading.Timer(0.05, os._exit, (0,)).start()
""", ASSERT),
    Attack("exit function before the asserts fail", "wrong_answer", """
import atexit, os
atexit.register(os._exit, 0)
def add(a, b): return 8
""", ASSERT),
    # Pretending.
    Attack("equal to everything", "wrong_answer", """
class E:
    def __eq__(self, o): return True
def add(a, b): return E()
""", CALL),
    Attack("a number equal to everything", "wrong_answer", """
class E(int):
    def __eq__(self, o): return True
    def __ne__(self, o): return False
    __hash__ = None
def add(a, b): return E(8)
""", CALL),
    Attack("another AssertionError", "wrong_answer", """
import builtins
builtins.AssertionError = SystemExit
def add(a, b): return 8
""", ASSERT),
    Attack("no assertions", "wrong_answer", """
import sys
builtin = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
builtin['exec'] = lambda *a: None
builtin['compile'] = lambda *a, **k: None
def add(a, b): return 8
""", ASSERT),
    Attack("patched json", "wrong_answer", """
import json, json.encoder
json.dumps = lambda *a, **k: '["value", 7]'
def add(a, b): return 8
""", CALL),
    Attack("a forged end of the asserts", "runtime_error wrong_answer", """
import os
def add(a, b):
    for fd in range(3, 64):
        try: os.pwrite(fd, b'["end", "0"]', 0)
        except OSError: pass
    os._exit(0)
""", ASSERT),
    Attack("a forged defect of the test", "runtime_error", """
import os
os.pwrite(3, b'["bad test", "SyntaxError"]', 0)
os._exit(1)
""", ASSERT),
    Attack("a forged defect of the test, in no form", "runtime_error", """
import os
os.pwrite(3, b'[' * 100000, 0)
os._exit(1)
""", CALL),
    Attack("a forged value", "wrong_answer", """
import os
os.pwrite(3, b'["value", 8]', 0)
os._exit(0)
""", CALL),
    Attack("every descriptor closed", "runtime_error wrong_answer", """
import os
os.closerange(0, 1024)
def add(a, b): return 7
""", CALL),
    # Looking for the answer.
    Attack("expected output in frames", "wrong_answer", """
import sys, gc
for o in gc.get_objects():
    if type(o).__name__ == 'Stdin': print(o.expected)
f = sys._getframe()
while f:
    for v in list(f.f_locals.values()):
        if getattr(v, 'expected', None): print(v.expected)
    f = f.f_back
"""),
    Attack("expected output in files", "wrong_answer", """
import os
for top in ('/proc', '/tmp', '/home', '/root', '/work', '/etc', '/var', '/run', '/dev/shm'):
    for d, _, fs in os.walk(top):
        for f in fs:
            if 'expected' in f: print(open(os.path.join(d, f)).read())
print(os.environ.get('EXPECTED', ''))
"""),
    # Reaching others.
    Attack("kill the parent", "ok", """
import os, signal
try: os.kill(os.getppid(), signal.SIGKILL)
except PermissionError: pass
print(sum(map(int, input().split())))
"""),
    Attack("kill everybody", "ok runtime_error", """
import os, signal
try: os.kill(-1, signal.SIGKILL)
except ProcessLookupError: pass
print(sum(map(int, input().split())))
"""),
    Attack("stop the parent", "ok", """
import os, signal
try: os.kill(os.getppid(), signal.SIGSTOP)
except PermissionError: pass
print(sum(map(int, input().split())))
"""),
    Attack("a daemon", "ok", """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print(sum(map(int, input().split())))
"""),
    Attack("a native crash", "runtime_error", """
import ctypes
ctypes.string_at(0)
"""),
    Attack("kill itself", "runtime_error", """
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""),
    Attack("endless recursion", "runtime_error", """
def f(): f()
f()
"""),
    Attack("endless recursion without a limit", "memory_limit runtime_error time_limit", """
import sys
sys.setrecursionlimit(10**9)
def f(): f()
f()
"""),
    Attack("endless recursion in C", "runtime_error memory_limit time_limit", """
import sys
sys.setrecursionlimit(10**9)
x = []
for _ in range(10**6): x = [x]
repr(x)
"""),
    Attack("a value that holds itself", "wrong_answer", """
def add(a, b):
    x = []
    x.append(x)
    return x
""", CALL),
    Attack("a deep value", "wrong_answer", """
def add(a, b):
    x = []
    for _ in range(10**5): x = [x]
    return x
""", CALL),
]  # fmt: skip
