"""Opens encrypted tokens, a line each on standard input, and prints what they hold, a line of JSON each: the header of
the encryption, the header of the signature, and the claims. Arguments: the private key's file, the client secret."""

import json
import sys

from joserfc import jwe, jwt
from joserfc.jwk import OctKey, RSAKey

ALGORITHMS = ["RSA-OAEP", "RSA1_5", "A128CBC-HS256", "A128GCM", "A256GCM"]

with open(sys.argv[1]) as file:
    private = RSAKey.import_key(file.read())
secret = OctKey.import_key(sys.argv[2])
for line in sys.stdin:
    opened = jwe.decrypt_compact(line.strip(), private, algorithms=ALGORITHMS)
    token = jwt.decode(opened.plaintext.decode(), secret, algorithms=["HS256"])
    print(json.dumps([opened.headers(), token.header, token.claims]))
