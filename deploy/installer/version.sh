# shellcheck shell=bash
# Names, builds and installs a version in its own directory. Part of deploy/install.sh.
# shellcheck disable=SC2154  # variables are defined in install.sh

# Set `requirements` to the list of pinned packages; a version with Parquet is followed by one with Parquet.
name_requirements() {
  if [[ -e $CURRENT/with-parquet ]]; then with_parquet=1; fi
  requirements=$HERE/requirements/run${with_parquet:+-parquet}.txt
}

# Set `version` to the release and a hash of its inputs: the files of the checkout or the wheel, and the Python.
name_version() {
  local release hash
  if [[ $wheel ]]; then
    [[ -f $wheel ]] || die "--wheel: $wheel does not exist"
    release=$(basename "$wheel" | cut -d- -f2)
  else
    release=$(sed -nE 's/^version = "(.*)"$/\1/p' "$HERE/pyproject.toml")
  fi
  hash=$({ cat "${wheel:-/dev/null}" && checkout_sums && "$python" -VV; } | sha256sum)
  version=$VERSIONS/$release-${hash:0:10}
}

# Print the checksums of the files of the checkout that a version consists of (with --wheel: besides the wheel).
checkout_sums() {
  local parts=("${requirements#"$HERE/"}" "$NAME.service")
  if [[ ! $wheel ]]; then parts+=(requirements/build.txt pyproject.toml README.md LICENSE daemon rules); fi
  (cd "$HERE" && find "${parts[@]}" -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# Create a temporary venv whose pip installs into the version's venv; build the wheel with the pinned build tools.
prepare_wheel() {
  "$python" -m venv "$scratch/venv"
  if [[ ! $wheel ]]; then
    step "building the wheel"
    pip install --require-hashes -r "$HERE/requirements/build.txt"
    pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch" "$HERE"
    wheel=$(echo "$scratch"/*.whl)
  fi
}

pip() { "$scratch/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }

make_version() {
  if [[ -e $version/complete ]]; then
    say "   $(basename "$version") is already installed"
    return
  fi
  prepare_wheel
  step "installing $(basename "$version") with pinned dependencies"
  rm -rf "$version"
  unfinished=$version
  "$python" -m venv --without-pip "$version"
  pip --python "$version/bin/python" install --require-hashes -r "$requirements"
  pip --python "$version/bin/python" install --no-deps --no-index "$wheel"
  mkdir -p "$version/share/doc/$NAME"
  cp -r "$HERE/README.md" "$HERE/CHANGELOG.md" "$HERE/docs/." "$version/share/doc/$NAME/"
  cp -r "$HERE/deploy" "$HERE/$NAME.service" "$version/share/"
  if [[ $with_parquet ]]; then touch "$version/with-parquet"; fi
  touch "$version/complete"
  unfinished=''
}
