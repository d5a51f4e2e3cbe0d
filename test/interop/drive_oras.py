"""Calls one function of the oras library for the tests, and prints what it returns as JSON.

    drive_oras.py push REFERENCE FILE...
    drive_oras.py push-in-chunks REFERENCE FILE...
    drive_oras.py attach REFERENCE SUBJECT_REFERENCE FILE...
    drive_oras.py pull REFERENCE DIRECTORY
    drive_oras.py tags REFERENCE
    drive_oras.py delete-tag REFERENCE TAG
    drive_oras.py write-layout REFERENCE DIRECTORY TAG
    drive_oras.py push-layout REFERENCE DIRECTORY TAG
"""

import json
import sys

import oras.layout
import oras.oci
import oras.provider


def main(command, reference, *rest):
    registry = oras.provider.Registry(hostname=reference.split("/")[0], insecure=True)

    def push(files, **options):
        answer = registry.push(
            reference, files=list(files), disable_path_validation=True, quiet=True, **options
        )
        return answer.headers["Docker-Content-Digest"]

    if command == "push":
        return push(rest)
    if command == "push-in-chunks":
        return push(rest, do_chunked=True, chunk_size=300_000)
    if command == "attach":
        subject, *files = rest
        return push(files, subject=oras.oci.Subject.from_manifest(registry.get_manifest(subject)))
    if command == "pull":
        return registry.pull(reference, outdir=rest[0])
    if command == "tags":
        return registry.get_tags(reference)
    if command == "delete-tag":
        return registry.delete_tag(reference, rest[0])
    if command == "write-layout":
        directory, tag = rest
        return oras.layout.NewLayoutFromRegistry(directory, registry, reference, tag).validate()
    if command == "push-layout":
        directory, tag = rest
        answer = oras.layout.NewLayout(directory).push_to_registry(registry, reference, tag)
        return answer.headers["Docker-Content-Digest"]
    raise SystemExit(f"unknown command {command}")


print(json.dumps(main(*sys.argv[1:])))
