#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes C from the netlink spec lodge-netlink.yaml: the constants for user space,
# the module's policies and op table, the tool's names of enum values. It knows
# the part of the spec language that this spec uses and refuses the rest.
#
#   ynl-gen.py            write the files
#   ynl-gen.py --check    compare with the files in the tree; status 1 if they differ

import argparse
import difflib
import pathlib
import sys

import yaml

TREE = pathlib.Path(__file__).resolve().parent.parent
SPEC = TREE / "uapi" / "lodge-netlink.yaml"

POLICY_TYPES = {"u32": "NLA_U32", "u64": "NLA_U64"}
ATTRIBUTE_TYPES = {*POLICY_TYPES, "string", "pad"}
OP_FLAGS = {"admin-perm": "GENL_ADMIN_PERM"}
GROUP_FLAGS = {"cap-net-admin": "GENL_MCAST_CAP_NET_ADMIN"}

KEYS = {
    "spec": {"name", "protocol", "version", "doc", "definitions", "attribute-sets",
             "operations", "mcast-groups"},
    "definition": {"name", "type", "doc", "entries"},
    "entry": {"name", "doc"},
    "attribute set": {"name", "attributes"},
    "attribute": {"name", "type", "doc", "enum", "checks"},
    "checks": {"min"},
    "operation": {"name", "doc", "attribute-set", "flags", "do", "dump", "notify", "mcgrp"},
    "do": {"request", "reply"},
    "dump": {"request", "reply", "pre"},
    "message": {"attributes"},
    "list": {"list"},
    "group": {"name", "flags"},
}


class SpecError(Exception):
    """The spec says something that this script does not understand."""


def keys_check(kind, where, node):
    unknown = set(node) - KEYS[kind]
    if unknown:
        raise SpecError(f"{where}: unknown {kind} key {sorted(unknown)[0]!r}")


def names_check(kind, nodes):
    names = [node["name"] for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{kind} {name!r} is there twice")


def flags_map(where, flags, known):
    for flag in flags:
        if flag not in known:
            raise SpecError(f"{where}: unknown flag {flag!r}")
    return " | ".join(known[flag] for flag in flags)


class Spec:
    """The spec, checked, with the names that C gets."""

    def __init__(self, tree):
        keys_check("spec", "spec", tree)
        if tree["protocol"] != "genetlink":
            raise SpecError("only the protocol genetlink is known")
        self.name = tree["name"]
        self.version = tree["version"]
        self.enums = tree["definitions"]
        self.sets = {s["name"]: s for s in tree["attribute-sets"]}
        keys_check("list", "operations", tree["operations"])
        self.ops = tree["operations"]["list"]
        keys_check("list", "mcast-groups", tree["mcast-groups"])
        self.groups = tree["mcast-groups"]["list"]
        self._enums_check()
        self._sets_check(tree["attribute-sets"])
        self._groups_check()
        self._ops_check()

    def _enums_check(self):
        names_check("definition", self.enums)
        for enum in self.enums:
            keys_check("definition", enum["name"], enum)
            if enum["type"] != "enum":
                raise SpecError(f"{enum['name']}: only enums are known")
            names_check("entry", enum["entries"])
            for entry in enum["entries"]:
                keys_check("entry", enum["name"], entry)

    def _sets_check(self, sets):
        names_check("attribute set", sets)
        enums = {enum["name"] for enum in self.enums}
        for aset in sets:
            keys_check("attribute set", aset["name"], aset)
            names_check("attribute", aset["attributes"])
            for attr in aset["attributes"]:
                where = f"{aset['name']}: {attr['name']}"
                keys_check("attribute", where, attr)
                keys_check("checks", where, attr.get("checks", {}))
                if attr["type"] not in ATTRIBUTE_TYPES:
                    raise SpecError(f"{where}: unknown type {attr['type']!r}")
                if attr.get("enum", None) not in enums | {None}:
                    raise SpecError(f"{where}: unknown enum {attr['enum']!r}")

    def _groups_check(self):
        names_check("group", self.groups)
        for group in self.groups:
            keys_check("group", group["name"], group)

    def _ops_check(self):
        names_check("operation", self.ops)
        names = {op["name"] for op in self.ops}
        groups = {group["name"] for group in self.groups}
        for op in self.ops:
            where = op["name"]
            keys_check("operation", where, op)
            if "notify" in op:
                if op["notify"] not in names or op["mcgrp"] not in groups:
                    raise SpecError(f"{where}: notifies of an unknown operation or group")
                continue
            if op["attribute-set"] not in self.sets:
                raise SpecError(f"{where}: unknown attribute set")
            for mode in ("do", "dump"):
                keys_check(mode, where, op.get(mode, {}))
                for side in ("request", "reply"):
                    self._message_check(where, op, op.get(mode, {}).get(side, {}))

    def _message_check(self, where, op, message):
        keys_check("message", where, message)
        known = {attr["name"] for attr in self.sets[op["attribute-set"]]["attributes"]}
        for attr in message.get("attributes", []):
            if attr not in known:
                raise SpecError(f"{where}: unknown attribute {attr!r}")

    def constant(self, *parts):
        return "_".join((self.name, *parts)).replace("-", "_").upper()

    def ident(self, *parts):
        return "_".join(parts).replace("-", "_").lower()

    def request(self, op):
        """The attributes that a request of this operation may carry, in their order."""
        wanted = set()
        for mode in ("do", "dump"):
            wanted |= set(op.get(mode, {}).get("request", {}).get("attributes", []))
        return [a for a in self.sets[op["attribute-set"]]["attributes"] if a["name"] in wanted]

    def requests(self):
        """The operations that user space may ask for."""
        return [op for op in self.ops if "notify" not in op]


def head(licence, comment, text):
    spdx = f"SPDX-License-Identifier: {licence}"
    first = f"/* {spdx} */" if comment == "h" else f"// {spdx}"
    return [first, "/*", f" * {text}",
            " * Made by uapi/ynl-gen.py from uapi/lodge-netlink.yaml: change it there.", " */"]


def uapi_make(spec):
    guard = "_UAPI_LODGE_NETLINK_H"
    out = head("GPL-2.0-only WITH Linux-syscall-note", "h",
               f'Numbers of the generic netlink family "{spec.name}".')
    out += [f"#ifndef {guard}", f"#define {guard}", "",
            f'#define {spec.constant("family", "name")}\t"{spec.name}"',
            f"#define {spec.constant('family', 'version')}\t{spec.version}", ""]
    for enum in spec.enums:
        out += ["/**", f" * enum {spec.ident(spec.name, enum['name'])} - {enum['doc']}"]
        out += [f" * @{spec.constant(enum['name'], entry['name'])}: {entry['doc']}"
                for entry in enum["entries"]]
        out += [" */", f"enum {spec.ident(spec.name, enum['name'])} {{"]
        out += [f"\t{spec.constant(enum['name'], entry['name'])},"
                for entry in enum["entries"]]
        out += ["};", ""]
    for aset in spec.sets.values():
        last = spec.constant("a", aset["name"], "max")
        out += ["enum {"]
        for number, attr in enumerate(aset["attributes"], 1):
            name = spec.constant("a", aset["name"], attr["name"])
            note = f"{attr['type']}: {attr['doc']}" if "doc" in attr else "alignment"
            out += [f"\t{name}{' = 1' if number == 1 else ''},\t/* {note} */"]
        out += ["", f"\t__{last},", f"\t{last} = (__{last} - 1)", "};", ""]
    last = spec.constant("cmd", "max")
    out += ["enum {"]
    for number, op in enumerate(spec.ops, 1):
        out += [f"\t{spec.constant('cmd', op['name'])}{' = 1' if number == 1 else ''},"]
    out += ["", f"\t__{last},", f"\t{last} = (__{last} - 1)", "};", ""]
    for group in spec.groups:
        out += [f"#define {spec.constant('mcgrp', group['name'])}\t\"{group['name']}\""]
    return out + ["", "#endif"]


def callbacks(spec, op):
    """The functions of one operation: (field of genl_ops, name, prototype)."""
    base = spec.ident(spec.name, "nl", op["name"])
    if "do" in op:
        yield "doit", f"{base}_doit", "struct sk_buff *skb, struct genl_info *info"
    if "dump" in op:
        if "pre" in op["dump"]:
            yield "start", op["dump"]["pre"], "struct netlink_callback *cb"
        yield "dumpit", f"{base}_dumpit", "struct sk_buff *skb, struct netlink_callback *cb"


def policy_header_make(spec):
    guard = "LODGE_NETLINK_GENERATED_POLICY_H"
    out = head("GPL-2.0-only", "h",
               f'Policies, op table and groups of the family "{spec.name}"; the functions they call.')
    out += [f"#ifndef {guard}", f"#define {guard}", "", "#include <net/genetlink.h>", "",
            "/* Positions in lodge_nl_groups[]. */", "enum {"]
    out += [f"\t{spec.constant('nl', 'group', group['name'])}," for group in spec.groups]
    out += [f"\t{spec.constant('nl', 'nr', 'groups')}", "};", "",
            f"extern const struct genl_ops lodge_nl_ops[{len(spec.requests())}];",
            f"extern const struct genl_multicast_group lodge_nl_groups[{len(spec.groups)}];", ""]
    for op in spec.requests():
        out += [f"int {name}({args});" for _, name, args in callbacks(spec, op)]
    return out + ["", "#endif"]


def policy_row(spec, aset, attr):
    if attr["type"] not in POLICY_TYPES:
        raise SpecError(f"{attr['name']}: no request may carry the type {attr['type']!r} yet")
    name = spec.constant("a", aset, attr["name"])
    kind = POLICY_TYPES[attr["type"]]
    if "min" in attr.get("checks", {}):
        return f"\t[{name}] = NLA_POLICY_MIN({kind}, {attr['checks']['min']}),"
    return f"\t[{name}] = {{ .type = {kind} }},"


def policy_source_make(spec):
    out = head("GPL-2.0-only", "c", f'Policies, op table and groups of the family "{spec.name}".')
    out += ['#include "policy.h"', "", "#include <uapi/linux/genetlink.h>", "",
            '#include "lodge_netlink.h"', ""]
    for op in spec.requests():
        rows = [policy_row(spec, op["attribute-set"], attr) for attr in spec.request(op)]
        if rows:
            last = spec.constant("a", op["attribute-set"], spec.request(op)[-1]["name"])
            name = spec.ident(op["name"], "policy")
            out += [f"static const struct nla_policy {name}[{last} + 1] = {{", *rows, "};", ""]
    out += [f"const struct genl_ops lodge_nl_ops[{len(spec.requests())}] = {{"]
    for op in spec.requests():
        out += ["\t{", f"\t\t.cmd = {spec.constant('cmd', op['name'])},"]
        out += [f"\t\t.{field} = {name}," for field, name, _ in callbacks(spec, op)]
        if spec.request(op):
            last = spec.constant("a", op["attribute-set"], spec.request(op)[-1]["name"])
            out += [f"\t\t.policy = {spec.ident(op['name'], 'policy')},", f"\t\t.maxattr = {last},"]
        if "flags" in op:
            out += [f"\t\t.flags = {flags_map(op['name'], op['flags'], OP_FLAGS)},"]
        out += ["\t},"]
    out += ["};", "", f"const struct genl_multicast_group lodge_nl_groups[{len(spec.groups)}] = {{"]
    for group in spec.groups:
        row = f".name = {spec.constant('mcgrp', group['name'])}"
        if "flags" in group:
            row += f", .flags = {flags_map(group['name'], group['flags'], GROUP_FLAGS)}"
        out += [f"\t[{spec.constant('nl', 'group', group['name'])}] = {{ {row} }},"]
    return out + ["};"]


def names_make(spec):
    guard = "LODGE_GENERATED_NETLINK_NAMES_H"
    out = head("GPL-2.0-only", "h", "How the values of the netlink spec's enums are spelled.")
    out += [f"#ifndef {guard}", f"#define {guard}", "", '#include "../../uapi/lodge_netlink.h"', ""]
    for enum in spec.enums:
        out += [f"static const char *const {spec.ident(spec.name, enum['name'], 'names')}[] = {{"]
        out += [f"\t[{spec.constant(enum['name'], entry['name'])}] = \"{entry['name']}\","
                for entry in enum["entries"]]
        out += ["};", ""]
    return out + ["#endif"]


PRODUCTS = {
    "uapi/lodge_netlink.h": uapi_make,
    "kmod/netlink/generated/policy.h": policy_header_make,
    "kmod/netlink/generated/policy.c": policy_source_make,
    "userspace/generated/netlink_names.h": names_make,
}


def product_differs(path, text):
    old = path.read_text() if path.exists() else ""
    name = str(path.relative_to(TREE))
    diff = list(difflib.unified_diff(old.splitlines(True), text.splitlines(True),
                                     name, f"{name} (from the spec)"))
    sys.stdout.writelines(diff)
    return bool(diff) or not path.exists()


def main():
    parser = argparse.ArgumentParser(description="make C from uapi/lodge-netlink.yaml")
    parser.add_argument("--check", action="store_true",
                        help="compare with the files in the tree, write nothing")
    arguments = parser.parse_args()
    try:
        spec = Spec(yaml.safe_load(SPEC.read_text()))
        products = {path: "\n".join(make(spec)) + "\n" for path, make in PRODUCTS.items()}
    except (SpecError, KeyError, OSError, yaml.YAMLError) as error:
        what = f"missing key {error}" if isinstance(error, KeyError) else error
        sys.exit(f"ynl-gen.py: {SPEC.name}: {what}")
    if not arguments.check:
        for path, text in products.items():
            (TREE / path).parent.mkdir(parents=True, exist_ok=True)
            (TREE / path).write_text(text)
        return
    different = [path for path, text in products.items() if product_differs(TREE / path, text)]
    if different:
        sys.exit(f"ynl-gen.py: not as the spec says: {', '.join(different)}; run uapi/ynl-gen.py")


if __name__ == "__main__":
    main()
