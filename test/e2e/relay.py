"""A TCP relay in front of a server: a host that can hang, vanish or refuse."""
import select
import socket
import threading

from harness import _Started, free_port


class Relay(_Started):
    """Passes on what comes; freeze() keeps connections, old and new, and moves nothing any more."""

    def __init__(self, host, port, listening=True):
        self.target = (host, port)
        self.host, self.port = "127.0.0.1", free_port()
        self.frozen = False
        self.stuck = set()  # connections that never move again
        self.pairs = {}
        self.listener = None
        self.lock = threading.Lock()
        self.ended = False
        self.accepted = 0
        self._register()
        if listening:
            self.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(128)
        self.listener = listener

    def freeze(self):
        """The host hangs: it takes connections, and nothing moves."""
        self.frozen = True

    def thaw(self, forget_old=True):
        """It moves again; connections from before stay dead unless told otherwise."""
        with self.lock:
            if forget_old:
                self.stuck.update(self.pairs)
            self.frozen = False

    def refuse(self):
        """Nobody listens, all connections are reset."""
        with self.lock:
            listener, self.listener = self.listener, None
            listener.close()
            for one in list(self.pairs):
                self._drop(one)

    def _drop(self, one):
        other = self.pairs.pop(one, None)
        one.close()
        if other is not None:
            self.pairs.pop(other, None)
            other.close()

    def _run(self):
        while not self.ended:
            with self.lock:
                watched = [] if self.frozen else [one for one in self.pairs if one not in self.stuck]
                listener = self.listener
                if listener is not None:
                    watched.append(listener)
                try:
                    ready = select.select(watched, [], [], 0.005)[0]
                except (OSError, ValueError):
                    continue
                for one in ready:
                    if one is listener:
                        self._accept(listener)
                    elif one in self.pairs and not self.frozen:
                        self._move(one)

    def _accept(self, listener):
        near = listener.accept()[0]
        self.accepted += 1
        try:
            far = socket.create_connection(self.target)
        except OSError:
            near.close()
            return
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs[near], self.pairs[far] = far, near

    def _move(self, one):
        try:
            data = one.recv(262144)
            if data:
                self.pairs[one].sendall(data)
            else:
                self._drop(one)
        except OSError:
            self._drop(one)

    def destroy(self):
        self._unregister()
        self.ended = True
        self.thread.join()
        for one in list(self.pairs):
            one.close()
        if self.listener is not None:
            self.listener.close()
