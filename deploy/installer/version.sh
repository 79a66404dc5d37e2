# shellcheck shell=bash
# A version in a directory of its own: built, named by all that makes it, installed. Part of deploy/install.sh.
# shellcheck disable=SC2154  # its variables are install.sh's

# From the checkout, by the pinned build tools, in a scratch environment whose pip also fills the version's.
prepare_wheel() {
  scratch=$(mktemp -d)
  trap clean_up EXIT
  "$python" -m venv "$scratch/venv"
  if [[ ! $wheel ]]; then
    step "building the wheel"
    pip install --require-hashes -r "$HERE/requirements/build.txt"
    pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch" "$HERE"
    wheel=$(echo "$scratch"/*.whl)
  fi
  [[ -f $wheel ]] || die "there is no wheel $wheel"
}

pip() { "$scratch/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }

clean_up() {
  if [[ $unfinished ]]; then rm -rf "$unfinished"; fi
  rm -rf "$scratch" $ETC/mongodb-uri.new
}

# The release and a hash of everything that makes this version what it is.
name_version() {
  local release hash
  release=$(basename "$wheel" | cut -d- -f2)
  hash=$({ cat "$wheel" "$HERE/requirements/run.txt" "$HERE/$NAME.service" && "$python" -VV; } | sha256sum)
  version=$VERSIONS/$release-${hash:0:10}
}

make_version() {
  if [[ -e $version/complete ]]; then
    say "   $(basename "$version") is there already"
    return
  fi
  step "installing $(basename "$version") with pinned dependencies"
  rm -rf "$version"
  unfinished=$version
  "$python" -m venv --without-pip "$version"
  pip --python "$version/bin/python" install --require-hashes -r "$HERE/requirements/run.txt"
  pip --python "$version/bin/python" install --no-deps --no-index "$wheel"
  mkdir -p "$version/share/doc/$NAME"
  cp -r "$HERE/README.md" "$HERE/CHANGELOG.md" "$HERE/docs/." "$version/share/doc/$NAME/"
  cp -r "$HERE/deploy" "$HERE/$NAME.service" "$version/share/"
  touch "$version/complete"
  unfinished=''
}
