"""Serve a folder of records without recomputing them: what the page must survive is no result.

python serve_records.py FOLDER PORT
"""

import sys

from aas_bench.board.page import build_app, serve
from aas_bench.board.site import Site
from aas_bench.records.collection import load_results

if __name__ == "__main__":
    folder, port = sys.argv[1], int(sys.argv[2])
    site = Site(folder, results=load_results(folder))
    site.warm()
    serve(build_app(site), host="127.0.0.1", port=port)
