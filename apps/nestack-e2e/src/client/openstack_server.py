"""Runs many commands of the openstack client without loading the client anew for each.

The modules of all commands are imported once; then a child is forked for each command, which is left as alone as a process of
its own: own arguments, own standard output and error, own exit code. A command is one line of JSON on standard input,
{"id": N, "args": [...], "env": {...}, "stdin": TEXT}; its end is one line on standard output,
{"id": N, "code": N, "stdout": TEXT, "stderr": TEXT}. Commands run beside each other; end of input ends this program.
"""

import gc
import importlib
import importlib.metadata
import io
import json
import os
import selectors
import sys
import tempfile


# Commands, ways to log in and forms of output; the client loads the two latter at each command.
GROUPS = ("openstack.", "keystoneauth1.plugin", "cliff.formatter.")
# What commands import when they talk to a service.
CLIENTS = ("cinderclient.v3.client", "cinderclient.v3.contrib.list_extensions", "openstackclient.api.compute_v2")


def load():
    """Imports what the client imports when it runs a command."""
    from openstackclient import shell

    points = importlib.metadata.entry_points()
    found = [point for group in points.groups if group.startswith(GROUPS) for point in points.select(group=group)]
    for action in [point.load for point in found] + [lambda name=name: importlib.import_module(name) for name in CLIENTS]:
        try:
            action()
        except Exception:  # pylint: disable=broad-except
            # What lacks a package, and fails in any way because of that, does so for the command that needs it, not here.
            continue
    know_packages()
    # What is loaded stays, so that no child copies it by looking for garbage.
    gc.collect()
    gc.freeze()
    return shell


def know_packages():
    """Lets the client's framework read once which packages are installed, which it otherwise does at each command's parser."""
    from cliff.command import Command

    class Any(Command):
        def take_action(self, parsed_args):
            """Never runs."""

    Any(None, None).get_parser("any")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def start(shell, order):
    """Forks a child for one command; returns its pid with the files that it writes."""
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    given = tempfile.TemporaryFile()
    given.write(order.get("stdin", "").encode())
    given.seek(0)
    pid = os.fork()
    if pid != 0:
        given.close()
        return pid, out, err
    code = 1
    try:
        os.dup2(given.fileno(), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        # Without input it is a terminal at which nobody types: a client that found a file would read an image from it.
        sys.stdin = open(0, closefd=False) if "stdin" in order else Terminal()
        sys.stdout = open(1, "w", closefd=False)
        sys.stderr = open(2, "w", closefd=False)
        os.environ.update(order.get("env", {}))
        sys.argv = ["openstack"] + order["args"]
        code = shell.main(order["args"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else (0 if stop.code is None else 1)
    except BaseException as error:  # pylint: disable=broad-except
        sys.stderr.write("%s: %s\n" % (type(error).__name__, error))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def text(file):
    file.seek(0)
    with file:
        return file.read().decode("utf-8", "replace")


def main():
    answers = os.fdopen(os.dup(1), "w")
    orders = os.fdopen(os.dup(0), "rb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    shell = load()
    running = {}
    watch = selectors.DefaultSelector()
    watch.register(orders, selectors.EVENT_READ)
    pending = b""
    open_ended = True
    while open_ended or running:
        for key, _ in watch.select():
            if key.fileobj is orders:
                data = os.read(orders.fileno(), 1 << 16)
                if not data:
                    open_ended = False
                    watch.unregister(orders)
                pending += data
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    pid, out, err = start(shell, order)
                    handle = os.pidfd_open(pid)
                    running[handle] = (order["id"], pid, out, err)
                    watch.register(handle, selectors.EVENT_READ)
                continue
            handle = key.fd
            watch.unregister(handle)
            number, pid, out, err = running.pop(handle)
            os.close(handle)
            _, status = os.waitpid(pid, 0)
            answer = {
                "id": number,
                "code": os.waitstatus_to_exitcode(status),
                "stdout": text(out),
                "stderr": text(err),
            }
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


main()
