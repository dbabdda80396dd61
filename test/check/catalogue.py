"""Prints what breaks a rule in the catalogue of a fresh database: "rule function"."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster

FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.prokind, l.lanname, p.proconfig, p.prosecdef,
           EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace::regnamespace::text LIKE 'kintaraa%' ORDER BY 1
"""

with Cluster("catalogue") as cluster:
    for name, kind, language, config, definer, public in cluster.psql(FUNCTIONS):
        # A C function resolves nothing by name itself, hence only its rights' change needs the pin; a
        # procedure that commits cannot have one and pins the path in its first statement.
        pinned = any(item.startswith("search_path=") for item in config or [])
        if not pinned and (definer or (language != "c" and kind != "p")):
            print("search_path", name)
        if public:
            print("public", name)
