# The rationing runs on the test's clock. Not by --wrap: with link-time optimisation the linker
# does not see that reference any more.
target_sources(${HALE_TEST_TARGET} PRIVATE ${CMAKE_SOURCE_DIR}/lib/base/log.c)
set_source_files_properties(${CMAKE_SOURCE_DIR}/lib/base/log.c PROPERTIES
  COMPILE_DEFINITIONS hale_clock_mono_ms=test_log_mono_ms)
