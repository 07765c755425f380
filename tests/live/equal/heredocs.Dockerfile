FROM docker.io/library/busybox:1.37.0-glibc
ARG NAME=world
RUN <<SCRIPT
set -e
echo "hello $NAME" > /plain
echo second >> /plain
SCRIPT
RUN <<-TABS
	echo tabs > /tabs
	TABS
RUN <<RUNME
#!/bin/sh
echo "$0 $# $NAME" > /shebang
RUNME
RUN cat <<ONE > /one && cat <<'TWO' > /two
one $NAME
ONE
two $NAME
TWO
RUN sh <<EOS
echo piped $NAME > /piped
EOS
COPY <<file.txt <<"raw.txt" /docs/
Hello ${NAME}
file.txt
Hello ${NAME} "as it is"
raw.txt
COPY --chmod=755 --chown=3:4 <<-tool /bin/tool
	#!/bin/sh
	echo tool
	tool
COPY <<a one.txt /mixed/
letters
a
ADD <<b /added/
"quotes" 'stay' \$NAME
b
