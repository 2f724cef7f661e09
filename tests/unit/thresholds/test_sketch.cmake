target_link_options(${HALE_TEST_TARGET} PRIVATE ${HALE_WRAP_ALLOC})
