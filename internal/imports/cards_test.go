package imports

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

func (s *shop) request(code, text string) CardsRequest {
	return CardsRequest{MerchantID: s.m.ID, SKUCode: code, FileName: "/home/x/keys.txt", Source: strings.NewReader(text)}
}

func (s *shop) load(code, text string) Report {
	s.t.Helper()
	r, err := s.Cards(s.t.Context(), s.request(code, text), nil)
	require.NoError(s.t, err)
	return r
}

// keys makes n different cards, one a line.
func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "KEY-%06d-%06x\n", i, i*7919%0xffffff)
	}
	return b.String()
}

func gbk(t *testing.T, text string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	require.NoError(t, err)
	return out
}

func TestCardsEncodingsAndLineEnds(t *testing.T) {
	t.Parallel()
	want := []string{"AAAA-1", "账号：磐石 密码：x", "卡密𠮷\tB", "last"}
	body := strings.Join(want, "\n")
	ascii := strings.Repeat("x", 70_000/100) // one line
	long := strings.Builder{}
	for i := range 1000 { // 700 KB of plain ASCII before the first other character
		fmt.Fprintf(&long, "%s%06d\n", ascii, i)
	}
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"UTF-8":                  {body, want},
		"UTF-8 with mark":        {"\xEF\xBB\xBF" + body, want},
		"UTF-8, CRLF, end":       {strings.ReplaceAll(body, "\n", "\r\n") + "\r\n", want},
		"UTF-8, CR":              {strings.ReplaceAll(body, "\n", "\r") + "\r", want},
		"GB18030":                {gbk(t, body), want},
		"GB18030 with mark":      {"\x84\x31\x95\x33" + gbk(t, body), want},
		"GB18030, CRLF":          {gbk(t, strings.ReplaceAll(body, "\n", "\r\n")), want},
		"mixed ends, empty":      {"a\r\n\r\n\n\rb\n  \n　c　\n\n", []string{"a", "b", "c"}},
		"UTF-8 after much ASCII": {long.String() + "磐石", append(strings.Split(strings.TrimSpace(long.String()), "\n"), "磐石")},
		"GB after much ASCII":    {long.String() + gbk(t, "磐石"), append(strings.Split(strings.TrimSpace(long.String()), "\n"), "磐石")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			for _, source := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				lines, err := newLineReader(source)
				require.NoError(t, err)
				var got []string
				for {
					l, err := lines.next()
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err)
					require.Empty(t, l.fault)
					got = append(got, string(l.text))
				}
				require.Equal(t, c.want, got)
				require.EqualValues(t, len(c.file), lines.read)
			}
			r := s.load("KEY", c.file)
			require.EqualValues(t, len(c.want), r.Accepted)
			require.Equal(t, c.want, s.cards("KEY"))
			s.sound()
		})
	}
}

func TestCardsRefusedFiles(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	other := s.merchant("two")
	utf16 := "\xFF\xFEA\x00B\x00\n\x00"
	for name, c := range map[string]struct {
		req  CardsRequest
		code string
	}{
		"UTF-16":               {s.request("KEY", utf16), "file_utf16"},
		"UTF-16 BE":            {s.request("KEY", "\xFE\xFF\x00A"), "file_utf16"},
		"UTF-16 without mark":  {s.request("KEY", strings.Repeat("A\x00", 20)), "file_utf16"},
		"xlsx":                 {s.request("KEY", "PK\x03\x04rest"), "file_not_text"},
		"xls":                  {s.request("KEY", "\xD0\xCF\x11\xE0rest"), "file_not_text"},
		"empty":                {s.request("KEY", ""), "file_empty"},
		"unknown SKU":          {s.request("NONE", "a"), "sku_not_found"},
		"text SKU":             {s.request("BOOK", "a"), "sku_not_cards"},
		"stream without size":  {CardsRequest{MerchantID: s.m.ID, SKUCode: "KEY", Source: io.MultiReader(strings.NewReader("a"))}, "file_digest_missing"},
		"SKU of somebody else": {CardsRequest{MerchantID: other.ID, SKUCode: "KEY", Source: strings.NewReader("a")}, "sku_not_found"},
		"unreadable":           {CardsRequest{MerchantID: s.m.ID, SKUCode: "KEY", Size: 5, Digest: make([]byte, 32), Source: iotest.ErrReader(io.ErrUnexpectedEOF)}, "file_unreadable"},
	} {
		_, err := s.Cards(t.Context(), c.req, nil)
		require.Equal(t, c.code, errs.CodeOf(err), name)
	}
	require.Zero(t, s.count(`SELECT COUNT(*) FROM import_batches`))
	require.Zero(t, s.count(`SELECT COUNT(*) FROM cards`))
}

func TestCardsBadLinesAndDuplicates(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.load("KEY2", "taken\n")
	file := strings.Join([]string{
		"good-1",                              // 1
		"",                                    // 2
		strings.Repeat("x", 4097),             // 3 too long
		" " + strings.Repeat("y", 4096) + " ", // 4 fits
		"a\x00b",                              // 5
		"a\x1bb",                              // 6
		"taken",                               // 7 duplicate of another SKU
		"good-1 ",                             // 8 duplicate in the file
		"tab\tinside",                         // 9
		strings.Repeat("z", 100_000),          // 10 too long
		"磐石卡",                                 // 11
		"第二张",                                 // 12
		"broken \xff\xfe",                     // 13
		"good-2",                              // 14
	}, "\n")
	want := []string{
		"3 too_long", "5 control_character", "6 control_character", "7 duplicate", "8 duplicate", "10 too_long", "13 bad_encoding",
	}
	dry := s.request("KEY", file)
	dry.DryRun = true
	for range 2 {
		r, err := s.Cards(t.Context(), dry, nil)
		require.NoError(t, err)
		require.Equal(t, want, plain(r.Findings))
		require.Equal(t, []int64{13, 6, 2, 5}, []int64{r.Lines, r.Accepted, r.Duplicates, r.Bad})
		require.True(t, r.BatchID.IsZero())
		require.EqualValues(t, 0, s.level("KEY").Available)
		dry.Source = strings.NewReader(file)
	}
	r := s.load("KEY", file)
	require.Equal(t, want, plain(r.Findings))
	require.Equal(t, []int64{13, 6, 2, 5}, []int64{r.Lines, r.Accepted, r.Duplicates, r.Bad})
	for _, f := range r.Findings {
		require.NotEmpty(t, f.Text)
	}
	require.EqualValues(t, 6, s.level("KEY").Available)
	require.Equal(t, []string{"good-1", strings.Repeat("y", 4096), "tab\tinside", "磐石卡", "第二张", "good-2"}, s.cards("KEY"))
	require.EqualValues(t, 2, s.count(`SELECT COUNT(*) FROM import_batches WHERE file_name = 'keys.txt'`))
	require.EqualValues(t, 2, s.count(`SELECT COUNT(*) FROM audit_records WHERE subject_id = $1`, r.BatchID))
	s.sound()
}

func TestCardsOfOtherMerchantAreNoDuplicates(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.load("KEY", "same\n")
	s.m = s.merchant("two")
	s.product("keys", catalog.Card, "KEY")
	require.EqualValues(t, 1, s.load("KEY", "same\n").Accepted)
	s.sound()
}

func TestCardsManyFindingsAreCut(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.load("KEY", strings.Repeat("same\n", 1500))
	require.EqualValues(t, 1499, r.Duplicates)
	require.True(t, r.Truncated)
	require.Len(t, r.Findings, 1000)
	require.EqualValues(t, 1001, r.Findings[999].Line)
	s.sound()
}

func TestCardsHundredThousandLines(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	lines := 100_000
	if dbtest.Engine() == db.Postgres {
		lines = 20_000 // the second round: what differs is the statement, not the reader
	}
	file := keys(lines) + "KEY-000000-000000\n"
	begun := time.Now()
	var last Progress
	calls := 0
	r, err := s.Cards(t.Context(), s.request("KEY", file), func(p Progress) {
		require.GreaterOrEqual(t, p.Lines, last.Lines)
		last = p
		calls++
	})
	require.NoError(t, err)
	require.EqualValues(t, lines, r.Accepted)
	require.Equal(t, []string{fmt.Sprintf("%d duplicate", lines+1)}, plain(r.Findings))
	require.True(t, last.Done)
	require.EqualValues(t, len(file), last.BytesRead)
	require.Equal(t, last.BytesTotal, last.BytesRead)
	require.Greater(t, calls, lines/chunkLines)
	require.EqualValues(t, lines, s.level("KEY").Available)
	took := time.Since(begun)
	t.Log(lines+1, "lines in", took)
	require.Less(t, took, time.Minute)
	again := s.load("KEY", file)
	require.Equal(t, []int64{0, int64(lines) + 1}, []int64{again.Accepted, again.Duplicates})
	require.False(t, again.Resumed)
	require.EqualValues(t, lines, s.level("KEY").Available)
	s.sound()
}

// TestNothingInClear looks for a card in every column of every table.
func TestNothingInClear(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const secret = "TOP-SECRET-CARD"
	s.load("KEY", secret+"\n"+secret+"\n"+secret+"\x00\n")
	_, err := s.SharedText(t.Context(), s.m.ID, "BOOK", secret)
	require.NoError(t, err)
	for _, table := range []string{"cards", "shared_contents", "import_batches", "import_findings", "audit_records"} {
		stored := dbtest.Dump(t, s.db, table)
		require.NotEmpty(t, stored, table)
		require.NotContains(t, stored, secret, table)
	}
}

func TestSharedTextAndStock(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx := t.Context()
	for range 2 {
		_, err := s.SharedText(ctx, s.m.ID, "BOOK", "one\r\ntwo\n")
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, s.count(`SELECT COUNT(*) FROM shared_contents`), "the same text is no new version")
	changed, err := s.SharedText(ctx, s.m.ID, "BOOK", "three")
	require.NoError(t, err)
	require.True(t, changed)
	now, err := s.currentText(ctx, s.m.ID, "BOOK")
	require.NoError(t, err)
	require.Equal(t, "three", string(now))
	for text, code := range map[string]string{
		" \n": "required", "a\x00": ControlCharacter, "\xff": "invalid_utf8", strings.Repeat("x", 20_001): TooLong,
	} {
		_, err := s.SharedText(ctx, s.m.ID, "BOOK", text)
		require.Equal(t, code, errs.CodeOf(err), "%.10q", text)
	}
	_, err = s.SharedText(ctx, s.m.ID, "KEY", "x")
	require.Equal(t, "sku_not_text", errs.CodeOf(err))
	_, err = s.SharedText(ctx, s.m.ID, "NONE", "x")
	require.Equal(t, "sku_not_found", errs.CodeOf(err))

	require.NoError(t, s.SetStock(ctx, s.m.ID, "WORK", stock.Counted, 7))
	require.Equal(t, stock.Counted, s.level("WORK").Mode)
	require.EqualValues(t, 7, s.level("WORK").Available)
	require.NoError(t, s.SetStock(ctx, s.m.ID, "WORK", stock.Unlimited, 0))
	require.Equal(t, "sku_not_found", errs.CodeOf(s.SetStock(ctx, s.m.ID, "KEY", stock.Counted, 7)))
	require.Equal(t, "invalid_mode", errs.CodeOf(s.SetStock(ctx, s.m.ID, "WORK", stock.Cards, 7)))
	require.Equal(t, "out_of_range", errs.CodeOf(s.SetStock(ctx, s.m.ID, "WORK", stock.Counted, -1)))
	s.sound()
}

// TestSealsWithTheRowsOwnCell fails if a card could be opened as another one.
func TestSealsWithTheRowsOwnCell(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.load("KEY", "a\nb\n")
	s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE cards SET content_sealed = (SELECT content_sealed FROM cards ORDER BY content_sealed DESC LIMIT 1)`)
		return err
	})
	var opened int
	s.view(func(tx *db.Tx) error {
		all, err := db.Collect(tx, func(rows db.Rows) (c stock.SealedCard, err error) {
			err = rows.Scan(&c.ID, &c.Content)
			return c, err
		}, `SELECT id, content_sealed FROM cards`)
		for _, c := range all {
			if _, err := s.vault.Unseal(vault.Cards, stock.CardCell(c.ID), c.Content); err == nil {
				opened++
			}
		}
		return err
	})
	require.Equal(t, 1, opened)
}
