package imports

import (
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"panshi/internal/money"
)

func FuzzCardsDecoder(f *testing.F) {
	for _, seed := range []string{
		"", "a\nb\r\nc\rd", "\xEF\xBB\xBF磐石", "\xb4\xc5\xca\xaf\n", "\xFF\xFE", "a\x00\n\n", "\x84\x31\x95\x33a", "\r\r\n\r", " \u3000x\u200b\n",
		strings.Repeat("x", maxRaw+1), "ok\n\x81", "磐石\n\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		lines, err := newLineReader(strings.NewReader(string(file)))
		if err != nil {
			return
		}
		last := int64(0)
		for {
			l, err := lines.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || l.no <= last {
				t.Fatal("a file in memory fails, or lines do not ascend", err, l.no, last)
			}
			last = l.no
			if l.fault != "" {
				if l.text != nil || textOf(l.fault) == "" {
					t.Fatal("a bad line has a text, or its fault has none")
				}
				continue
			}
			if len(l.text) == 0 || len(l.text) > maxCard || !utf8.Valid(l.text) || strings.ContainsAny(string(l.text), "\x00\r\n") {
				t.Fatalf("not a card: %q", l.text)
			}
		}
		if lines.read != int64(len(file)) {
			t.Fatalf("read %d of %d bytes", lines.read, len(file))
		}
	})
}

func FuzzCatalogCSV(f *testing.F) {
	f.Add([]byte(goodCatalog))
	f.Add([]byte("slug;kind;title;sku;price\na;card;T;A;1\n"))
	f.Add([]byte("\xEF\xBB\xBFslug\tkind\ttitle\tsku\tprice\r\na\ttext\t\"x\ty\"\tA\t1.5\r\n"))
	f.Add([]byte("slug,kind,title,sku,price\ra,card,T,A,1\r,,,,\r"))
	f.Add([]byte("slug,kind,title,sku,price\n\"a,card\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		text, err := decodeAll(file)
		if err != nil {
			return
		}
		rows, err := parseSheet(text)
		if err != nil {
			return
		}
		p := newPlan(rows, money.CNY)
		skus := 0
		for _, d := range p.products {
			skus += len(d.skus)
			if d.bad {
				continue
			}
			for _, k := range d.skus {
				if k.sku.Code == "" || k.count < 0 || len(k.content) > maxContent || !utf8.ValidString(d.product.Title) {
					t.Fatalf("a bad SKU without a finding: %+v", k)
				}
			}
		}
		if len(p.findings) == 0 && skus != len(rows.rows) {
			t.Fatalf("%d rows became %d SKUs", len(rows.rows), skus)
		}
		for _, part := range chunks(p.products) {
			if len(part) == 0 || len(part) > chunkProducts {
				t.Fatal("a chunk of the wrong size")
			}
		}
	})
}

func FuzzPrice(f *testing.F) {
	for _, seed := range []string{"0", "1", "19.9", "19.90", "１９．９０", ".5", "1.", "1.234", "-1", "1e3", "999999999999.99", " 7 ", "0x1", "1_0", "+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		minor, ok := parsePrice(cell)
		if !ok {
			return
		}
		want, isNumber := new(big.Rat).SetString(machine(cell))
		if !isNumber || want.Cmp(big.NewRat(minor, 100)) != 0 {
			t.Fatalf("%q became %d", cell, minor)
		}
		if again, ok := parsePrice(money.Of(minor, money.CNY).Decimal()); !ok || again != minor {
			t.Fatalf("%d became %d", minor, again)
		}
	})
}

func TestPrice(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]int64{
		"0": 0, "1": 100, "19.9": 1990, "19.90": 1990, "0.01": 1, "007": 700, " 8 ": 800, "８．８８": 888, "999999999999.99": 99999999999999,
	} {
		minor, ok := parsePrice(cell)
		if !ok || minor != want {
			t.Errorf("%q became %d, %v", cell, minor, ok)
		}
	}
	for _, cell := range []string{"", ".", ".5", "5.", "1.234", "-1", "+1", "1,000", "1e3", "¥5", "1 2", "0x10", "1.-1", "9999999999999"} {
		if minor, ok := parsePrice(cell); ok {
			t.Errorf("%q became %d", cell, minor)
		}
	}
}

func TestBaseName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "/": "", "a.csv": "a.csv", "/x/y/a.csv": "a.csv", `C:\x\卡密.txt`: "卡密.txt", "a\x00\n\xff.txt": "a.txt",
		strings.Repeat("磐", 100): strings.Repeat("磐", 66),
	} {
		if got := baseName(name); got != want {
			t.Errorf("%q became %q", name, got)
		}
	}
}
