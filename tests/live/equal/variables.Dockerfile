ARG GLOBAL=from-the-top
ARG UNUSED
FROM docker.io/library/busybox:1.37.0-glibc
ARG GLOBAL
ARG VERSION=1.0
ARG GIVEN=default
ARG EMPTY
ARG QUOTED="with spaces"
ENV A=1 B="two words" C=three\ words D='$A' E=$A-$GLOBAL F=${MISSING:-default} G=${A:+set} H=${MISSING}
ENV LEGACY all of   this
ENV A=2 AGAIN=$A
ENV PATH=/opt/bin:$PATH
ENV I=\$A J="quote \" and $A" K=${VERSION%.0} L=${GIVEN#g}
ENV VERSION=2.0
ARG VERSION=3.0
LABEL version=$VERSION "quoted key"="a value" multi="one \
line" single='$A' given=$GIVEN empty=
LABEL old style
RUN env | grep -v -e HOSTNAME -e SHLVL -e PWD | sort > /env
RUN echo "$VERSION ${GIVEN} $QUOTED \$A" '$A' > /said
COPY $MISSING$GIVEN.txt /${VERSION}/
USER ${USERNAME:-nobody}
EXPOSE ${PORT:-80}
VOLUME /data/$A
STOPSIGNAL ${SIGNAL:-SIGQUIT}
CMD echo $A
ENTRYPOINT ["echo", "$A"]
