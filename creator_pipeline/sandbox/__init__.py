"""The server of the platforms' stand-ins, for demos and tests; production never imports it."""
