#!/bin/sh
# Creates the secrets of compose.yml, one file each; existing files are kept.
# The folder is private to its owner; the files are world-readable, because each container runs as a different user.
# Usage: secrets.sh [FOLDER] (default: `secrets` in the folder of this script)
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"

secret() {
  if [ -s "$folder/$1" ]; then
    echo "kept     $folder/$1"
  else
    printf %s "$2" > "$folder/$1"
    chmod 644 "$folder/$1"
    echo "created  $folder/$1"
  fi
}
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

database=${MONGODB_DATABASE:-$(sed -n 's/^MONGODB_DATABASE=//p' "$(dirname "$0")/.env")}

secret mongodb-root-password "$(random)"
secret mongodb-uri "mongodb://analytics:$(random)@mongo:27017/?replicaSet=rs0&authSource=$database"
secret http-token "$(random)"
secret grafana-password "$(random)"
