target_link_options(${HALE_TEST_TARGET} PRIVATE -Wl,--wrap=hale_clock_mono_ms)
