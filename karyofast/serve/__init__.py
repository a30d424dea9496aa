"""The service: pictures in, karyotypes out, over HTTP (`karyofast serve`)."""
