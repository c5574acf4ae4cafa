"""A real Locum between an app and a load, for the measurements beside this directory. Python's standard library, nginx, wrk."""
