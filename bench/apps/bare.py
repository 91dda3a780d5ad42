"""Each server as its own users start it, on the application of an INI: ``bare.py NAME INI PORT``.

No access log anywhere, since the other side of a comparison has none either. ``PORT`` may be the
path of a Unix socket where the server knows them.
"""

import logging
import sys

from paste.deploy import loadapp


def waitress(app, port, threads=4):
    from waitress import serve

    serve(app, host="127.0.0.1", port=port, threads=threads)


def http(app, port):
    waitress(app, port, threads=10)


def cheroot(app, port):
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), app, numthreads=10).start()


def wsgiref(app, port):
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log_message(self, *_):
            """Write nothing."""

    make_server("127.0.0.1", port, app, handler_class=Silent).serve_forever()


def twisted(app, port):
    from twisted.internet import reactor
    from twisted.web.server import Site
    from twisted.web.wsgi import WSGIResource

    class Silent(Site):
        def log(self, request):
            """Write nothing."""

    site = Silent(WSGIResource(reactor, reactor.getThreadPool(), app))
    reactor.listenTCP(port, site, interface="127.0.0.1")
    reactor.run()


def flup(name):
    def serve(app, port):
        from importlib import import_module

        server = import_module(f"flup.server.{name}").WSGIServer
        address = port if isinstance(port, str) else ("127.0.0.1", port)
        quiet = {} if name.startswith("fcgi") else {"loggingLevel": logging.ERROR}
        server(app, bindAddress=address, **quiet).run()

    return serve


SERVERS = {
    "waitress": waitress,
    "http": http,
    "cheroot": cheroot,
    "wsgiref": wsgiref,
    "twisted": twisted,
    **{f"flup_{name}": flup(name) for name in ("fcgi", "scgi", "ajp")},
    **{f"flup_{name}_fork": flup(f"{name}_fork") for name in ("fcgi", "scgi", "ajp")},
}

if __name__ == "__main__":
    name, ini, address = sys.argv[1:]
    application = loadapp(f"config:{ini}", relative_to="/", global_conf={"http_port": "0"})
    SERVERS[name](application, int(address) if address.isdigit() else address)
