"""Who may include and call whom; called by layers.sh and prints TAP.

Rooms stand in one line: each includes itself and those before it.  Files form no circle of includes, and those of the
extension none of calls, so each can be read after those that it stands on.  The text alone is read, which takes a
moment."""
import collections
import fnmatch
import os
import re
import subprocess
import sys

ROOMS = "base keys trail identity access providers notify records cases work sync operate worker".split()
SERVER = "/usr/include/postgresql/15/server"

# Library of the gateway, then the files that may include it.
LIBRARIES = """
libpq-fe.h   db.c db_*.c db.h db_link.h listen.c
wslay/       ws.c ws_*.c ws_socket.h
jwt.h        keys.c token.c
jansson      jansson_prelude.h problem.c keys.c token.c listen.c watch.c ws_command.c
openssl/     keys.c token.c tls.c stream.c ws_handshake.c main.c
zlib.h       inflate.c
argon2.h
postgres.h
"""
PURE = "http_parse http_head http_body http_text url utf8 json_check json_mend json_text routes config address".split()

INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.M)

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FUNCTION = re.compile(r"^((?:[A-Za-z_][\w *]*\n)?[\w *]*?)\b([A-Za-z_]\w*)\([^;{}]*\)\n\{", re.M)
WORD = re.compile(r"[A-Za-z_]\w*")
count = failed = 0


def result(name, places):
    global count, failed
    places = list(places)
    count += 1
    failed += bool(places)
    print("%s %d - %s" % ("not ok" if places else "ok", count, name))
    for place in places[:50]:
        print("# " + place)


def read_ours():
    """Path -> text of our C files, generated ones left out, and of the SQL."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "extension", "gateway", "sql"],
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    paths = listed.stdout.splitlines() if listed.returncode == 0 else [
        os.path.join(folder, name) for top in ("extension", "gateway", "sql")
        for folder, _, names in os.walk(top) if "node_modules" not in folder for name in names]
    texts = {}
    for path in sorted(set(paths)):
        if path.endswith((".c", ".h", ".sql")) and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                texts[path] = file.read()
    return texts


def includes(path):
    return [(kind == '"', name) for kind, name in INCLUDE.findall(texts[path])]


def of_extension(path):
    return path.startswith("extension/") and path.endswith((".c", ".h"))


def of_gateway(path):
    return path.startswith("gateway/") and path.endswith((".c", ".h"))


def upward():
    for path in filter(of_extension, texts):
        room = path.split("/")[1]
        if room == os.path.basename(path):
            continue  # beside the rooms lies what stands on all of them
        if room not in ROOMS:
            yield "%s lies in a room that is not in the list" % path
            continue
        for quoted, name in includes(path):
            # The server has a folder access/ as well.
            if not quoted or os.path.exists(os.path.join(SERVER, name)):
                continue
            other = name.split("/")[0]
            if other not in ROOMS:
                if "extension/%s/%s" % (room, name) in texts:
                    yield '%s includes "%s" without its room' % (path, name)
            elif ROOMS.index(other) > ROOMS.index(room):
                yield "%s includes %s, which stands above it" % (path, name)


def hiding():
    return [path for path in texts if of_extension(path) and path.endswith(".h")
            and os.path.exists(os.path.join(SERVER, path[len("extension/"):]))]


def naming_barred():
    for path in filter(of_extension, texts):
        if not path.startswith("extension/access/"):
            for number, line in enumerate(texts[path].split("\n"), 1):
                if re.search(r"kintaraa\.barred\b", line):
                    yield "%s:%d: %s" % (path, number, line.strip())


def foreign():
    for line in LIBRARIES.strip().split("\n"):
        header, *allowed = line.split()
        for path in filter(of_gateway, texts):
            if any(name.startswith(header) for _, name in includes(path)) and not any(
                    fnmatch.fnmatchcase(os.path.basename(path), pattern) for pattern in allowed):
                yield "%s includes %s" % (path, header)


def impure():
    for path in filter(of_gateway, texts):
        if os.path.splitext(os.path.basename(path))[0] in PURE:
            for _, name in includes(path):
                if re.match(r"event2|openssl|jansson|jwt|wslay|libpq|zlib", name):
                    yield "%s includes %s" % (path, name)


def foreign_tree():
    for path in filter(of_gateway, texts):
        for quoted, name in includes(path):
            if quoted and ("extension/" in name or name.startswith("../../")):
                yield "%s includes %s" % (path, name)


def transports():
    for path, text in texts.items():
        if path.startswith("sql/") or of_extension(path):
            for number, line in enumerate(text.split("\n"), 1):
                if re.search(r"\bHTTP|\bhttp[_ ]", line):
                    yield "%s:%d: %s" % (path, number, line.strip())


def included_by_us(path):
    """Paths of the files of ours that it includes."""
    for quoted, name in includes(path):
        if quoted:
            for folder in ("extension", os.path.dirname(path), "gateway"):
                other = os.path.normpath(os.path.join(folder, name))
                if other in texts and other != path:
                    yield other
                    break


def called(paths):
    """Path -> {path it calls into: name of a function}.  A word that is a function of another file counts, called or
    taken by address, unless the file has one of that name to itself."""
    words, owner = {}, {}
    for path in paths:
        text = COMMENT_OR_TEXT.sub("", texts[path])
        words[path] = set(WORD.findall(text))
        for head, name in FUNCTION.findall(text):
            if head.startswith("static"):
                words[path].discard(name)
            else:
                owner[name] = path
    edges = collections.defaultdict(dict)
    for path, used in words.items():
        for name in used & owner.keys():
            if owner[name] != path:
                edges[path].setdefault(owner[name], name)
    return edges


def circles(edges):
    """The sets of files that reach each other (Tarjan), each as one line."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            found.append(stack[stack.index(node):])
            del stack[stack.index(node):]

    sys.setrecursionlimit(10000)
    for node in sorted(edges):
        if node not in index:
            visit(node)
    for group in found:
        if len(group) > 1:
            yield ", ".join(
                "%s -> %s (%s)" % (one, other, edges[one][other])
                for one in sorted(group) for other in sorted(edges[one]) if other in group)


texts = read_ours()

result("rooms include only rooms written before them", upward())
result("no header of ours hides one of the server", hiding())
result("no statement names the table of the barred but those made of the one text", naming_barred())
result("each library of the gateway has its few files", foreign())
result("parsers and tables of the gateway stand on the C library alone", impure())
result("the gateway includes nothing of the extension", foreign_tree())
result("the extension speaks of no transport", transports())
result("no file includes itself on a detour", circles(
    {path: {other: "#include" for other in included_by_us(path)} for path in texts if path.endswith((".c", ".h"))}))
result("no file of the extension calls itself on a detour",
       circles(called([path for path in texts if of_extension(path) and path.endswith(".c")])))
print("1..%d" % count)
sys.exit(failed > 0)
