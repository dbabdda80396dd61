"""Opens sealed columns from outside: AES-256-GCM under a survivor's data key, as docs/security.md has it."""
import base64

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NAME = 3  # version and key id, authenticated in front of the rest
NONCE = 12


def opened(key, sealed, bound):
    sealed = bytes(sealed)
    return AESGCM(key).decrypt(sealed[NAME:NAME + NONCE], sealed[NAME + NONCE:], sealed[:NAME] + bound)


class Keys:
    """The data keys of a cluster's survivors, unwrapped with its key ring."""

    def __init__(self, cluster):
        self.rings = {}
        with open(cluster.folder + "/keys/keyring") as file:
            for line in file:
                words = line.split()
                if len(words) == 4 and words[0] == "wrap":
                    self.rings[int(words[1])] = base64.urlsafe_b64decode(words[3] + "=" * (-len(words[3]) % 4))
        self.keys = {}
        for subject, wrapped in cluster.psql("SELECT subject, wrapped FROM kintaraa.subject_key"):
            ring = self.rings[int.from_bytes(bytes(wrapped)[1:3], "big")]
            self.keys[subject] = opened(ring, wrapped, bytes.fromhex(subject.replace("-", "")))

    def open(self, subject, place, row, sealed):
        if sealed is None:
            return None
        bound = place.encode() + bytes.fromhex(row.replace("-", ""))
        return opened(self.keys[subject], sealed, bound).decode()
