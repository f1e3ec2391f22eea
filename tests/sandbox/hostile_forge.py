"""Programs that do not know the answer and try to be taken for right: by forging, tampering, looking and leaking.

`SECRET` tests expect a text that appears nowhere else; a program that can print it has found what must not be there.
"""

from sandbox import Assert, Call, Stdin
from tests.sandbox.hostile import ASSERT, CALL, LOOP, Attack

HIDDEN = "hid" + "den-4c1f7e"
SECRET = Stdin(input="3 4\n", expected=f"{HIDDEN}\n")
SECRET_CALL = Call(args=[3, 4], expected=HIDDEN)
SECRET_ASSERT = Assert(code=f"assert add(3, 4) == {HIDDEN!r}")

# Looks through everything that a process can read; `found` is what the tests expect, if it is anywhere.
SEARCH = """
import gc, os, re, sys
pattern = re.compile(b'hid' + b'den-[0-9a-f]{6}')
def texts():
    for o in gc.get_objects():
        for part in [o, *gc.get_referents(o)]:
            if isinstance(part, str): yield part.encode('utf-8', 'replace')
            elif isinstance(part, (bytes, bytearray)): yield bytes(part)
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, str): yield value.encode('utf-8', 'replace')
            elif isinstance(value, bytes): yield value
        frame = frame.f_back
    for fd in range(256):
        try: yield os.pread(fd, 1 << 20, 0)
        except OSError: pass
    for top in ('/proc/self', '/proc/1', '/proc/%d' % os.getppid(), '/tmp', '/dev/shm'):
        for folder, _, names in os.walk(top):
            if '/task/' in folder or folder.endswith(('/net', '/fdinfo', '/map_files')): continue
            for name in names:
                if name in ('mem', 'program.py', 'pagemap', 'smaps', 'kmsg', 'clear_refs'): continue
                try:
                    fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK)
                    yield os.read(fd, 1 << 20)
                    os.close(fd)
                except OSError: pass
def memory():
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if 'rw' not in rights or 'heap' not in line and 'stack' not in line and len(line.split()) > 5: continue
            low, high = (int(x, 16) for x in span.split('-'))
            try: mem.seek(low); yield mem.read(min(high - low, 1 << 25))
            except (OSError, ValueError, OverflowError): pass
def search():
    for source in (texts, memory):
        for text in source():
            if match := pattern.search(text): return match[0].decode()
    return 'nothing'
"""

_KINDS = {"call": CALL, "assert": ASSERT, "loop": LOOP}


def _each(name: str, reasons: str, source: str, kinds: str = "call assert loop") -> list[Attack]:
    """The same program with the same test in several forms."""
    return [Attack(f"{name}, {kind}", reasons, source, _KINDS[kind]) for kind in kinds.split()]


FORGED = [
    *_each("reports of every kind on every descriptor", "wrong_answer runtime_error", """
import os
for text in (b'["value", 8]', b'["values", [8], null]', b'["end", "0"]', b'["values", [], null]', b'{}', b'7'):
    for fd in range(64):
        for write in (lambda: os.pwrite(fd, text, 0), lambda: os.write(fd, text)):
            try: write()
            except OSError: pass
def add(a, b): return 8
"""),
    *_each("a report, then a quick end", "wrong_answer runtime_error", """
import os
def add(a, b):
    for fd in range(64):
        try: os.pwrite(fd, b'["values", [], null]', 0)
        except OSError: pass
    os._exit(0)
"""),
    *_each("a report that is no list", "runtime_error", """
import os
def add(a, b):
    for fd in range(3, 64):
        try: os.ftruncate(fd, 0); os.pwrite(fd, b'7', 0)
        except OSError: pass
    os._exit(0)
"""),
    Attack("typed values of no type", "wrong_answer runtime_error", """
import os
def add(a, b):
    for fd in range(3, 64):
        try: os.ftruncate(fd, 0); os.pwrite(fd, b'["values", [{"int": 7, "set": []}], null]', 0)
        except OSError: pass
    os._exit(0)
""", ASSERT),
    Attack("typed values too deep", "wrong_answer runtime_error", """
import os
def add(a, b):
    text = b'["values", [' + b'{"tuple": [' * 5000 + b'7' + b']}' * 5000 + b'], null]'
    for fd in range(3, 64):
        try: os.ftruncate(fd, 0); os.pwrite(fd, text, 0)
        except OSError: pass
    os._exit(0)
""", ASSERT),
    Attack("keys that collide", "wrong_answer runtime_error", """
import os
def add(a, b):
    keys = ', '.join(str(n * (2**61 - 1)) for n in range(40000))
    for fd in range(3, 64):
        try: os.ftruncate(fd, 0); os.pwrite(fd, ('["values", [{"set": [%s]}], null]' % keys).encode(), 0)
        except OSError: pass
    os._exit(0)
""", ASSERT),
    Attack("more values than were asked for", "runtime_error wrong_answer", """
import os
def add(a, b):
    for fd in range(3, 9): os.ftruncate(fd, 0) or os.pwrite(fd, b'["values", [7, 7, 7], null]', 0)
    os._exit(0)
""", ASSERT),
    Attack("the report in place of stdout", "wrong_answer runtime_error", """
import os
os.dup2(3, 1)
print(7)
"""),
    Attack("a file in place of stdout", "wrong_answer runtime_error", """
import os
os.close(1)
os.open('/tmp/out', os.O_RDWR | os.O_CREAT)
print(7)
"""),
    Attack("stdin in place of stdout", "wrong_answer runtime_error", """
import os
os.dup2(0, 1)
print(7)
"""),
    Attack("nothing but error output", "wrong_answer", """
import sys
print(sum(map(int, input().split())), file=sys.stderr)
"""),
    Attack("output that nobody flushes", "wrong_answer runtime_error", """
import os
print(7)
os._exit(0)
"""),
    Attack("two processes, two answers", "wrong_answer", """
import os
pid = os.fork()
print(7)
if pid: os.wait()
"""),
    Attack("a child that answers wrongly later", "wrong_answer", """
import os, time
if os.fork() == 0:
    print(8)
    raise SystemExit
os.wait()
print(7)
"""),
    Attack("an exit function that answers too", "wrong_answer", """
import atexit
atexit.register(print, 8)
print(7)
"""),
    Attack("two processes return", "wrong_answer", """
import os
def add(a, b):
    if os.fork(): os.wait()
    return 8
""", CALL),
    Attack("another Python that ends well", "runtime_error", """
import os, sys
def add(a, b): os.execv(sys.executable, [sys.executable, '-c', 'pass'])
""", CALL),
    Attack("another program that ends well", "runtime_error", """
import os
def add(a, b): os.execv('/bin/true', ['true'])
""", ASSERT),
]  # fmt: skip

TAMPERED = [
    *_each("the runner's code replaced", "wrong_answer runtime_error", """
import gc, types
def other(*a, **k): return ['values', [], None]
for o in gc.get_objects():
    if isinstance(o, types.FunctionType) and o.__code__.co_filename.endswith(('runner.py', 'value.py', 'cell.py')):
        try: o.__code__ = other.__code__
        except (ValueError, AttributeError): pass
def add(a, b): return 8
"""),
    *_each("the runner's globals replaced", "wrong_answer runtime_error", """
import sys
frame = sys._getframe()
while frame:
    for name in list(frame.f_globals):
        if name.startswith('_') and callable(frame.f_globals[name]):
            frame.f_globals[name] = lambda *a, **k: 7
    frame = frame.f_back
def add(a, b): return 8
"""),
    *_each("no builtins", "wrong_answer runtime_error", """
def add(a, b): return 8
import builtins
vars(builtins).clear()
"""),
    *_each("builtins that lie", "wrong_answer runtime_error", """
import builtins
def yes(*a, **k): return True
for name in ('isinstance', 'issubclass', 'all', 'any', 'bool', 'eval', 'exec', 'compile', 'type', 'len', 'getattr'):
    setattr(builtins, name, yes)
def add(a, b): return 8
"""),
    *_each("no modules", "wrong_answer runtime_error", """
import sys
def add(a, b): return 8
sys.modules.clear()
"""),
    *_each("patched os, json, marshal and sys", "wrong_answer runtime_error", """
import json, marshal, os, sys
def nothing(*a, **k): return 0
for module in (json, marshal, os):
    for name in ('dumps', 'loads', '_exit', 'write', 'pwrite', 'ftruncate', 'read'):
        if hasattr(module, name): setattr(module, name, nothing)
json.JSONEncoder.encode = json.JSONEncoder.iterencode = nothing
json._default_encoder.encode = lambda o: '["values", [8], null]'
def add(a, b): return 8
"""),
    *_each("a tracer that changes what frames return", "wrong_answer runtime_error", """
import sys
def trace(frame, event, arg):
    for name in ('value', 'report', 'found', 'status'):
        if name in frame.f_locals: frame.f_locals[name] = 7
    frame.f_trace_opcodes = True
    return trace
frame = sys._getframe()
while frame:
    frame.f_trace = trace
    frame = frame.f_back
sys.settrace(trace)
sys.setprofile(trace)
def add(a, b): return 8
"""),
    *_each("an audit hook that refuses everything", "wrong_answer runtime_error", """
import sys
def hook(*a): raise SystemExit(0)
def add(a, b): return 8
sys.addaudithook(hook)
"""),
    *_each("an import hook and a display hook", "wrong_answer", """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None): raise SystemExit(0)
sys.meta_path.insert(0, Finder())
sys.displayhook = sys.excepthook = lambda *a: None
def add(a, b): return 8
"""),
    *_each("exit when collected", "wrong_answer runtime_error", """
import gc, os
class Bomb:
    def __del__(self): os._exit(0)
bomb = Bomb()
gc.callbacks.append(lambda *a: os._exit(0))
gc.set_threshold(1)
def add(a, b): return 8
"""),
    Attack("a reader of stdin that makes things up", "wrong_answer", """
import builtins, io, sys
sys.stdin = io.StringIO('1 1')
print(sum(map(int, builtins.input().split())))
"""),
    Attack("print that goes nowhere", "wrong_answer", """
import sys
class Out:
    def write(self, text): pass
    def flush(self): pass
sys.stdout = Out()
print(7)
"""),
    Attack("a stdout that fails at the end", "runtime_error ok", """
import sys
class Out(type(sys.stdout)):
    def flush(self): raise ValueError
print(7)
sys.stdout.flush()
sys.stdout.__class__ = Out
"""),
]  # fmt: skip

OBJECTS = [
    *_each("a list that shows another", "wrong_answer", """
class L(list):
    def __iter__(self): return iter([7])
    def __eq__(self, o): return True
    def __len__(self): return 1
    def __getitem__(self, i): return 7
def add(a, b): return L([8])
""", "call assert"),
    *_each("an int that shows another", "wrong_answer", """
class I(int):
    def __eq__(self, o): return True
    def __hash__(self): return 7
    def __repr__(self): return '7'
    __str__ = __int__ = __index__ = __float__ = __repr__
def add(a, b): return I(8)
""", "call assert"),
    *_each("a text that shows another", "wrong_answer", """
class S(str):
    def __eq__(self, o): return True
    def __str__(self): return '7'
    encode = __str__
def add(a, b): return S('8')
""", "call assert"),
    *_each("an object of every class", "wrong_answer runtime_error", """
class M(type):
    def __instancecheck__(self, o): return True
    def __subclasscheck__(self, o): return True
    def mro(cls): return [cls, object]
class O(metaclass=M):
    __class__ = int
    def __eq__(self, o): return True
    def __getattr__(self, name): return 7
    def __bool__(self): return True
def add(a, b): return O()
""", "call assert"),
    *_each("equality found by reflection", "wrong_answer runtime_error", """
class R:
    def __eq__(self, o): return True
    def __ne__(self, o): return False
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    def __hash__(self): return hash(7)
    def __rsub__(self, o): return 0
    __sub__ = __abs__ = __round__ = __neg__ = __rsub__
def add(a, b): return R()
""", "call assert"),
    Attack("a tolerance that the value decides", "wrong_answer", """
class R(float):
    def __sub__(self, o): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
def add(a, b): return R(8)
""", Assert(code="assert abs(add(3, 4) - 7.0) < 1e-6")),
    *_each("a coroutine", "wrong_answer runtime_error", "async def add(a, b): return 7", "call assert"),
    *_each("a class in place of the function", "wrong_answer", """
class add:
    def __init__(self, a, b): pass
    def __eq__(self, o): return True
""", "call assert"),
    Attack("a text that raises when shown", "runtime_error", """
class Bad(Exception):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
def add(a, b): raise Bad
""", CALL),
    Attack("an exception of a lying class", "memory_limit runtime_error", """
class Bad(MemoryError, ModuleNotFoundError):
    name = 'numpy'
def add(a, b): raise Bad
""", ASSERT),
    Attack("a module that is said to be missing", "runtime_error", """
def add(a, b): raise ModuleNotFoundError("No module named 'torch'", name='torch')
""", CALL),
]  # fmt: skip

SEARCHED = [
    Attack("search for the expected output", "wrong_answer", SEARCH + "\nprint(search())", SECRET, cpu_s=5),
    Attack("search for the expected value", "wrong_answer",
           SEARCH + "\ndef add(a, b): return search()", SECRET_CALL, cpu_s=5),
    Attack("search for what is asserted", "wrong_answer",
           SEARCH + "\ndef add(a, b): return search()", SECRET_ASSERT, cpu_s=5),
    Attack("memory of the parent", "wrong_answer", """
import ctypes, os, re
libc = ctypes.CDLL(None, use_errno=True)
found = 'nothing'
for pid in (1, os.getppid()):
    libc.ptrace(16, pid, 0, 0)
    for name in ('mem', 'environ', 'cmdline', 'maps', 'syscall', 'stack'):
        try: data = open(f'/proc/{pid}/{name}', 'rb').read(1 << 16)
        except OSError: continue
        if m := re.search(b'hid' + b'den-[0-9a-f]{6}', data): found = m[0].decode()
print(found)
""", SECRET),
    Attack("system calls to other processes", "wrong_answer", """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class V(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
text = ctypes.create_string_buffer(64)
one = V(ctypes.addressof(text), 64)
for pid in (1, os.getppid()):
    for name in ('process_vm_readv', 'process_vm_writev'):
        getattr(libc, name)(pid, ctypes.byref(one), 1, ctypes.byref(one), 1, 0)
    libc.syscall(434, pid, 0)  # pidfd_open
    libc.syscall(312, pid, os.getpid(), 0, 1, 1)  # kcmp
    libc.syscall(438, 3, 0, 0)  # pidfd_getfd
print('nothing')
""", SECRET),
]  # fmt: skip

FORGERIES = [*FORGED, *TAMPERED, *OBJECTS, *SEARCHED]
