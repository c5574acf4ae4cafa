"""A mail server that takes alerts: aiosmtpd. Prints its port, then one line of JSON for each mail.

    mail.py none|starttls|implicit [CERT KEY [USER PASSWORD]]
"""

import email
import json
import logging
import socket
import ssl
import sys
import warnings
from email import policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "authenticated": bool(session.authenticated),
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "body": message.get_content(),
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


def main(mode, cert=None, key=None, user=None, password=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)

    def authenticate(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=right)

    login = {}
    if user:
        login = {"authenticator": authenticate, "auth_required": True}
    if mode == "implicit":
        # aiosmtpd knows of TLS only where it began it itself.
        login |= {"ssl_context": context, "auth_require_tls": False}
    elif mode == "starttls":
        login |= {"tls_context": context, "require_starttls": True}
    controller = Controller(Keeper(), hostname="127.0.0.1", port=free_port(), **login)
    controller.start()
    print(controller.port, flush=True)
    sys.stdin.read()
    controller.stop()


# What the tests do to it on purpose is not worth a line.
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
main(*sys.argv[1:])
