# Run by ctest after the last test: shows what the conformance test has left, once.
if(EXISTS ${TABLE})
  file(READ ${TABLE} text)
  file(REMOVE ${TABLE})
  message(NOTICE "${text}")
endif()
