# The files are what librrd reads.
target_link_libraries(${HALE_TEST_TARGET} PRIVATE hale::rrd)
