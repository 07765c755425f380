FROM docker.io/library/busybox:1.37.0-glibc
COPY one.txt /
COPY one.txt two.txt /into/
COPY one.txt /renamed.txt
COPY one.txt /deep/er/than/that
COPY folder /folder
COPY folder/ /folder-again/
COPY folder /made/by/copy/
COPY ./folder/../two.txt ./relative.txt
COPY ["with space.txt", "/quoted name.txt"]
COPY modes /modes
COPY empty /empty
