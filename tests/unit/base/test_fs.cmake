target_link_options(${HALE_TEST_TARGET} PRIVATE -Wl,--wrap=fsync,--wrap=rename)
