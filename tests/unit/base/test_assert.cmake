set_property(TEST unit.base.assert APPEND PROPERTY ENVIRONMENT
  "ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1" "TSAN_OPTIONS=allocator_may_return_null=1")
