"""The five-line script that pastebox is compared with: waitress and loadapp, nothing else."""

import sys

from paste.deploy import loadapp
from waitress import serve

app = loadapp("config:" + sys.argv[1], relative_to="/", global_conf={"http_port": sys.argv[2]})
serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=4)
