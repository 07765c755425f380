FROM docker.io/library/busybox:1.37.0-glibc
COPY links /links
COPY links/to-file /file
COPY links/to-folder /folder
COPY links/to-* /both/
COPY links/to-folder/leaf /through
COPY hard /hard
COPY hard/a hard/b /apart/
