"""From a package to where its model is served: Triton's model repository, PyTriton, a server of our own, Ray Serve.

Nothing here knows pytest or a framework; what is asked of a package goes through its query side.
"""
