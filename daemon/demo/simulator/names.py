"""Names of Italian companies, and hostile ones: a customer's name is untrusted text."""

from random import Random

FIRST = ("Tech", "Startup", "Bottega", "Studio", "Digital", "Caffè", "Agenzia", "Cantina", "Officina", "Web")
SECOND = ("Milano", "Corp Italia", "Verde", "Rossi & Figli", "Toscana", "del Borgo")

HOSTILE = (
    "<script>alert('ciao')</script>",
    '=HYPERLINK("http://example.com","Paga qui")',
    "+39|cmd' /C calc'!A0",
    "Pasticceria \u202egnp.exe",
    "Riga uno\nRiga due\r\n🏆 Raggiunti 1000 clienti totali!",
    "Forno • 💰 Pagamento ricevuto: €9999.00 da Nessuno",
    "\u200b\u200b\u200b",
    "",
    "   ",
    "Bar\x00Sport",
    "\x1b[31mRosso\x1b[0m",
    "{{7*7}} ${7*7} %s %n",
    "'; DROP TABLE customers; --",
    "Fami👨‍👩‍👧glia Esposito",
    "Z̷̢̛a̴͎͝l̵̰̈g̶̣͗o Srl",
    "A" * 20_000,
)


def company(rng: Random) -> str:
    """Return one of sixty harmless names."""
    return f"{rng.choice(FIRST)} {rng.choice(SECOND)}"


def hostile(rng: Random) -> str:
    """Return a name that breaks code which trusts it."""
    return rng.choice(HOSTILE)
