#!/bin/sh
# Print the page: the head, a greeting, then every text in the order of their names.
cat head.txt
echo "$GREETING! This is our $EDITION edition."
for text in texts/*.txt texts/*/*.txt; do
    echo
    cat "$text"
done
