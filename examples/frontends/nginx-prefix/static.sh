#!/bin/sh
# Lay the wiki's static files where nginx finds them.
set -eu
package=$(python -c 'import importlib.util; print(importlib.util.find_spec("pastebox_wiki").submodule_search_locations[0])')
cp -R "$package/static/." /srv/static/
