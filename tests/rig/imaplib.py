# What Python's imaplib sees of a mailbox. Arguments: host, port, mode, user, password, mailbox as it goes over the
# wire, and if wanted a file with a certificate and its key. Prints JSON.
import imaplib, json, re, ssl, sys

host, port, mode, user, password, mailbox, *identity = sys.argv[1:]
context = ssl.create_default_context()
if identity:
    context.load_cert_chain(identity[0])
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
imap = imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=180) if mode == "implicit" else imaplib.IMAP4(host, int(port), timeout=180)
if mode == "starttls":
    imap.starttls(context)
imap.login(user, password)
quoted = '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'


def asked(name, *arguments):
    status, data = getattr(imap, name)(*arguments)
    if status != "OK":
        sys.exit(f"{name} {arguments}: {status} {data}")
    return data


def text(item):
    return (item[0] + item[1] if isinstance(item, tuple) else item or b"").decode("latin-1")


def numbers(data):
    return sorted(int(number) for item in data for number in (item or b"").split())


seen = {}
listed = imap.list('""', quoted)[1]
seen["listed"] = [line for line in map(text, listed) if mailbox in line]
status = "".join(map(text, asked("status", quoted, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")))
seen["status"] = {name: int(value) for name, value in re.findall(r"(MESSAGES|UIDNEXT|UIDVALIDITY|UNSEEN) (\d+)", status)}
seen["exists"] = int(asked("select", quoted, True)[0])
seen["search"] = numbers(asked("search", None, "ALL"))
seen["flagged"] = numbers(asked("uid", "SEARCH", "FLAGGED"))
seen["uids"] = numbers(asked("uid", "SEARCH", "ALL"))
seen["messages"] = {}
for uid in seen["uids"]:
    told = "".join(map(text, asked("uid", "FETCH", str(uid), "(FLAGS RFC822.SIZE INTERNALDATE)")))
    flags = re.search(r"FLAGS \(([^)]*)\)", told).group(1).split()
    date = re.search(r'INTERNALDATE "([^"]*)"', told).group(1)
    body = asked("uid", "FETCH", str(uid), "BODY.PEEK[]")
    literal = next(item[1] for item in body if isinstance(item, tuple))
    seen["messages"][uid] = {
        "flags": sorted(flag.lower() for flag in flags if flag.lower() != "\\recent"),
        "size": int(re.search(r"RFC822.SIZE (\d+)", told).group(1)),
        "date": date,
        "body": literal.decode("latin-1"),
    }
imap.logout()
print(json.dumps(seen))
