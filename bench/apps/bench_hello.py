import time

BIG = b"x" * (1 << 20)


def main(global_conf, **conf):
    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/slow":
            time.sleep(2)
        if path == "/big":
            start_response("200 OK", [("Content-Length", str(20 << 20))])
            return [BIG] * 20
        if path == "/upload":
            data = environ["wsgi.input"].read()
            body = str(len(data)).encode()
        else:
            body = b"hello world\n"
        start_response(
            "200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        )
        return [body]

    return app
