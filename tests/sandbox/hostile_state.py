# ruff: noqa: E501 - programs, one a line
"""Programs that count their own tests in whatever may outlast one: each test must be the first.

The n-th test expects 6 + n, so such a program passes if, and only if, a test sees what another left behind.
"""

from sandbox import Call, Stdin
from tests.sandbox.hostile import Attack

SEEN = [Stdin(input="", expected=str(7 + n)) for n in range(3)]
SEEN_CALLS = [Call(args=[], expected=7 + n) for n in range(3)]

# name: (statements that read the count into `n`, statements that keep `n + 1`)
PLACES = {
    "a file in /tmp": ("n = int(open('/tmp/mark').read()) if os.path.exists('/tmp/mark') else 0",
                       "open('/tmp/mark', 'w').write(str(n + 1))"),
    "a file in /dev/shm": ("n = int(open('/dev/shm/m').read()) if os.path.exists('/dev/shm/m') else 0",
                           "open('/dev/shm/m', 'w').write(str(n + 1))"),
    "the time of a file": ("p = '/tmp/program.py'; t = os.stat(p).st_atime; n = int(t) if t < 99 else 0",
                           "try: os.utime(p, (n + 1, 50))\nexcept PermissionError: pass"),
    "an empty folder": ("n = sum(1 for x in os.listdir('/tmp') if x.startswith('d'))", "os.mkdir(f'/tmp/d{n}')"),
    "the program's own file": ("n = open(__file__).read().count('# again')",
                               "try: open(__file__, 'a').write('# ' + 'again')\nexcept PermissionError: pass"),
    "the mode of a folder": ("n = max(0, (os.stat('/tmp').st_mode & 0o7) - 4) if os.stat('/tmp').st_uid == os.getuid() else 0",
                             "os.stat('/tmp').st_uid == os.getuid() and os.chmod('/tmp', 0o1770 + 5 + n)"),
    "a name in builtins": ("import builtins; n = getattr(builtins, 'mark', 0)", "builtins.mark = n + 1"),
    "a builtin replaced": ("n = len('') and len('') or 0", "import builtins; builtins.len = lambda x, k=n + 1: k"),
    "an attribute of a module": ("import math; n = getattr(math, 'mark', 0)", "math.mark = n + 1"),
    "an attribute of a class": ("import collections; n = getattr(collections.Counter, 'mark', 0)",
                                "collections.Counter.mark = n + 1"),
    "a module of its own": ("n = getattr(sys.modules.get('mark'), 'n', 0)",
                            "import types; m = sys.modules['mark'] = types.ModuleType('mark'); m.n = n + 1"),
    "the environment": ("n = int(os.environ.get('MARK', 0))", "os.environ['MARK'] = str(n + 1)"),
    "the environment of C": ("import ctypes; g = ctypes.CDLL(None).getenv; g.restype = ctypes.c_char_p; n = int(g(b'MARK') or 0)",
                             "ctypes.CDLL(None).setenv(b'MARK', str(n + 1).encode(), 1)"),
    "the working folder": ("n = os.getcwd().count('x')", "os.mkdir('x'); os.chdir('x')"),
    "the umask": ("n = max(0, os.umask(0) - 0o22); os.umask(0o22 + n)", "os.umask(0o22 + n + 1)"),
    "a signal handler": ("import signal; h = signal.getsignal(signal.SIGUSR1); n = h.n if hasattr(h, 'n') else 0",
                         "f = lambda *a: None; f.n = n + 1; signal.signal(signal.SIGUSR1, f)"),
    "ignored signals": ("import signal; n = sum(signal.getsignal(s) == signal.SIG_IGN for s in (34, 35, 36))",
                        "signal.signal(34 + n, signal.SIG_IGN)"),
    "blocked signals": ("import signal; n = len(signal.pthread_sigmask(0, []))",
                        "signal.pthread_sigmask(signal.SIG_BLOCK, [34 + n])"),
    "a timer": ("import signal; left = signal.getitimer(0)[0]; n = round(left / 1000)", "signal.setitimer(0, 1000 * (n + 1))"),
    "the recursion limit": ("n = max(0, sys.getrecursionlimit() - 5000)", "sys.setrecursionlimit(5000 + n + 1)"),
    "the switch interval": ("n = max(0, round(sys.getswitchinterval() * 100))", "sys.setswitchinterval((n + 1) / 100)"),
    "the search path": ("n = sys.path.count('mark')", "sys.path.append('mark')"),
    "import hooks": ("n = sum(x is None for x in sys.path_hooks)", "sys.path_hooks.append(None)"),
    "random numbers": ("import random; s = random.random(); random.seed(5); k = random.random(); n = 0 if s != k else 1",
                       "random.seed(5)"),
    "the decimal context": ("import decimal; n = decimal.getcontext().prec - 28", "decimal.getcontext().prec = 28 + n + 1"),
    "the locale": ("import locale; n = int(locale.setlocale(locale.LC_NUMERIC) == 'POSIX')",
                   "locale.setlocale(locale.LC_NUMERIC, 'POSIX')"),
    "warning filters": ("import warnings; n = sum(f[4] == 987 for f in warnings.filters)",
                        "warnings.filterwarnings('ignore', lineno=987, append=True, message=str(n))"),
    "codecs": ("import codecs\ntry: n = codecs.lookup_error('mark')\nexcept LookupError: n = 0\nelse: n = n(None)",
               "codecs.register_error('mark', lambda e, k=n + 1: k)"),
    "caches of the library": ("import re; n = sum('mark' in str(k) for k in re._cache)", "re.compile(f'mark{n}')"),
    "copy's dispatch": ("import copyreg; n = copyreg.dispatch_table.get('mark', 0)", "copyreg.dispatch_table['mark'] = n + 1"),
    "garbage that lives": ("import gc; n = sum(type(o).__name__ == 'Mark' for o in gc.get_objects())",
                           "M = type('Mark', (), {}); m = M(); m.me = m; gc.disable(); gc.freeze(); del m, M"),
    "open descriptors": ("n = len([x for x in os.listdir('/proc/self/fd') if int(x) > 100])",
                         "os.dup2(os.open('/dev/null', 0), 101 + n)"),
    "threads": ("import threading; n = threading.active_count() - 1",
                "threading.Thread(target=threading.Event().wait, daemon=True).start()"),
    "threads of the kernel": ("n = len(os.listdir('/proc/self/task')) - 1",
                              "import _thread, time; _thread.start_new_thread(time.sleep, (50,)); time.sleep(0.01)"),
    "processes": ("n = sum(x.isdigit() and int(x) not in (1, os.getpid(), os.getppid()) for x in os.listdir('/proc'))",
                  "import time\nif os.fork() == 0: os.setsid(); time.sleep(50); os._exit(0)"),
    "limits": ("import resource; s, h = resource.getrlimit(resource.RLIMIT_CORE); f = resource.getrlimit(resource.RLIMIT_NOFILE)[0]; n = max(0, 200 - f) if f < 200 else 0",
               "resource.setrlimit(resource.RLIMIT_NOFILE, (200 - n - 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))"),
    "the name of the process": ("t = open('/proc/self/comm').read().strip(); n = int(t[4:]) if t.startswith('mark') else 0",
                                "import ctypes; ctypes.CDLL(None).prctl(15, f'mark{n + 1}'.encode(), 0, 0, 0)"),
    "exit functions": ("import atexit; n = atexit._ncallbacks() if atexit._ncallbacks() < 9 else 0",
                       "atexit.register(int); atexit.register(int)"),
    "tracing": ("n = int(sys.gettrace() is not None)", "sys.settrace(lambda *a: None)"),
    "audit hooks": ("import builtins\nseen = []\nsys.audit('mark', seen)\nn = len(seen)",
                    "sys.addaudithook(lambda name, args: name == 'mark' and args[0].append(1))"),
    "standard streams": ("n = getattr(sys.stdout, 'n', 0)", "sys.stdout.n = n + 1"),
    "names of main": ("import __main__; n = getattr(__main__, 'mark', 0)", "__main__.mark = n + 1"),
    "a static of C": ("import ctypes; libc = ctypes.CDLL(None); p = ctypes.c_char_p.in_dll(libc, 'optarg'); n = int(p.value or 0)",
                      "b = ctypes.create_string_buffer(str(n + 1).encode()); sys.setrecursionlimit(sys.getrecursionlimit()); ctypes.pythonapi.Py_IncRef(ctypes.py_object(b)); ctypes.c_void_p.in_dll(libc, 'optarg').value = ctypes.addressof(b)"),
    "process attributes": ("import ctypes; n = ctypes.CDLL(None).prctl(30, 0, 0, 0, 0) - 50000; n = n if 0 < n < 10 else 0",
                           "ctypes.CDLL(None).prctl(29, 50001 + n, 0, 0, 0)"),
    "the scheduler": ("n = 19 - 0 and len(os.sched_getaffinity(0)); n = 0 if n > 1 or (os.cpu_count() or 1) == 1 else 1",
                      "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"),
}  # fmt: skip


def _script(place: str) -> str:
    read, keep = PLACES[place]
    return f"import os, sys\n{read}\nanswer = 7 + n\n{keep}\nprint(answer)\n"


def _function(place: str) -> str:
    body = "\n".join("    " + line for text in PLACES[place] for line in text.splitlines())
    return f"import os, sys\ndef add():\n{body}\n    return 7 + n\n"


def _call_global() -> str:
    return "seen = []\ndef add():\n    seen.append(1)\n    return 6 + len(seen)\n"


LEFTOVERS = [
    *(Attack(f"{place}, script", "wrong_answer", _script(place), SEEN[0], 0.5, tuple(SEEN[1:])) for place in PLACES),
    *(Attack(f"{place}, call", "wrong_answer", _function(place), SEEN_CALLS[0], 0.5, tuple(SEEN_CALLS[1:]))
      for place in PLACES),
    Attack("a list of the program, call", "wrong_answer", _call_global(), SEEN_CALLS[0], 0.5, tuple(SEEN_CALLS[1:])),
]  # fmt: skip
