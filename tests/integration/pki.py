# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates for tests, made by the openssl command."""
import subprocess


class Authority:
    def __init__(self, directory, name="test CA"):
        self.dir = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = str(directory / "ca.pem"), str(directory / "ca.key")
        self.n = 0
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "30",
                 "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def run(self, *words):
        r = subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, r.stderr

    def issue(self, name, days=10, usage="serverAuth"):
        """(certificate file, key file) for name, 127.0.0.1 and localhost."""
        self.n += 1
        stem = str(self.dir / f"{name}-{self.n}")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", stem + ".key", "-out", stem + ".csr", "-subj", f"/CN={name}")
        with open(stem + ".ext", "w") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                    f"extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
        self.run("x509", "-req", "-in", stem + ".csr", "-CA", self.cert, "-CAkey", self.key,
                 "-set_serial", str(1000 + self.n), "-days", str(days), "-extfile", stem + ".ext",
                 "-out", stem + ".pem")
        return stem + ".pem", stem + ".key"
