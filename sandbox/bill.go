package sandbox

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // WeChat Pay tells the digest of a bill so
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	wxBillPath  = "/v3/billdownload/file"
	aliBillPath = "/alipay/bill"
	tarGzip     = "GZIP"
	// feePerMille is what the platform keeps: 0.6 %.
	feePerMille = 6
)

// entry is a movement of money in a bill.
type entry struct {
	at     time.Time
	trade  *trade
	refund *refund // nil for a payment
	amount int64   // fen, positive
	fee    int64   // 1/1000 fen; negative for what is given back with a refund
}

// billFaults bend the bills that are asked for while they are set.
type billFaults struct {
	Early  bool `json:"early"`  // the bill of a day that is not over yet is given out
	Omit   int  `json:"omit"`   // leaves out this many payments, the first ones
	Extra  int  `json:"extra"`  // invents this many payments
	Amount bool `json:"amount"` // one payment has one fen more
	Late   bool `json:"late"`   // says that there is no bill yet
}

// billOf gathers a day's movements of one channel of a merchant, in order of time.
func (s *Sandbox) billOf(m *merchant, channel string, day time.Time) []entry {
	var out []entry
	end := day.AddDate(0, 0, 1)
	within := func(t time.Time) bool { return !t.Before(day) && t.Before(end) }
	s.view(func(st *state) {
		for _, t := range st.trades {
			if t.MchID != m.MchID || t.Channel != channel || !t.paid() {
				continue
			}
			if within(t.PaidAt) {
				out = append(out, entry{at: t.PaidAt, trade: t, amount: t.Total, fee: t.Total * feePerMille})
			}
			for _, r := range st.refundsOfTrade(t) {
				if within(r.DueAt) && !s.now().Before(r.DueAt) {
					out = append(out, entry{at: r.DueAt, trade: t, refund: r, amount: r.Amount, fee: -r.Amount * feePerMille})
				}
			}
		}
	})
	return s.bent(m, channel, out, day)
}

// bent applies the faults of the moment.
func (s *Sandbox) bent(m *merchant, channel string, entries []entry, day time.Time) []entry {
	f := s.faults.get().Bills
	out := entries[:0]
	for _, e := range entries {
		if e.refund == nil && f.Omit > 0 {
			f.Omit--
			continue
		}
		if e.refund == nil && f.Amount {
			f.Amount, e.amount = false, e.amount+1
		}
		out = append(out, e)
	}
	for i := range f.Extra {
		no := fmt.Sprintf("4200%s%020d", day.Format("20060102"), i)
		t := &trade{
			Channel: channel, MchID: m.MchID, AppID: m.AppID, OutTradeNo: "X" + no[4:], TransactionID: no, Total: 100,
			Description: "invented", Currency: "CNY", State: stateSuccess, CreatedAt: day, PaidAt: day,
		}
		out = append(out, entry{at: day, trade: t, amount: 100, fee: 100 * feePerMille})
	}
	return out
}

// billDay reads the day of a bill and tells whether there is a bill of it: after ten the next morning.
func (s *Sandbox) billDay(text string) (day time.Time, ready bool, err error) {
	day, err = time.ParseInLocation(time.DateOnly, text, beijing())
	if err != nil {
		return day, false, errParam("bill_date", "must be a day such as 2026-05-03")
	}
	f := s.faults.get().Bills
	return day, !f.Late && (f.Early || !s.now().Before(day.AddDate(0, 0, 1).Add(10*time.Hour))), nil
}

// tradeBill answers where WeChat Pay's bill of a day lies, and what its digest is: of the table, also where that is
// sent packed.
func (s *Sandbox) tradeBill(c *call) (int, any, error) {
	q := c.r.URL.Query()
	if kind := q.Get("bill_type"); kind != "" && kind != "ALL" {
		return 0, nil, errParam("bill_type", "only ALL is made here")
	}
	file, err := s.wxBill(c.merchant, q.Get("bill_date"))
	if err != nil {
		return 0, nil, err
	}
	sum := sha1.Sum(file) //nolint:gosec // as above
	address := url.Values{"bill_date": {q.Get("bill_date")}, "token": {randomHex(16)}}
	switch packed := q.Get("tar_type"); packed {
	case "":
	case tarGzip:
		address.Set("tar_type", packed)
	default:
		return 0, nil, errParam("tar_type", "must be GZIP, or not be there")
	}
	return http.StatusOK, map[string]string{
		"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]), "download_url": s.baseURL(c.r) + wxBillPath + "?" + address.Encode(),
	}, nil
}

// billFile sends the bill itself: to whoever signs as its merchant, and without a signature of ours.
func (s *Sandbox) billFile(w http.ResponseWriter, r *http.Request) {
	m, err := s.authenticate(r, nil, s.now())
	if err != nil {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	file, err := s.wxBill(m, r.URL.Query().Get("bill_date"))
	if err != nil {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("tar_type") != tarGzip {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(file) //nolint:gosec // plain text to a program; whoever has gone asks again
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(file)
	_ = z.Close() // as above
}

func (s *Sandbox) wxBill(m *merchant, date string) ([]byte, error) {
	day, ready, err := s.billDay(date)
	if err != nil {
		return nil, err
	}
	entries := s.billOf(m, "", day)
	if !ready || len(entries) == 0 {
		return nil, &apiError{Status: http.StatusBadRequest, Code: "NO_STATEMENT_EXIST", Message: "there is no bill of this day"}
	}
	return wxTable(m, entries), nil
}

// wxTable lays a bill out as WeChat Pay does: a backtick before each cell, a footer with names of its own.
func wxTable(m *merchant, entries []entry) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类," +
		"应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率," +
		"订单金额,申请退款金额,费率备注\r\n")
	var paid, refunded, fees int64
	for _, e := range entries {
		total, back, state, refundID, refundNo, kind, refundState := e.amount, int64(0), "SUCCESS", "0", "0", "", ""
		if e.refund != nil {
			total, back, state, refundID, refundNo = 0, e.amount, "REFUND", e.refund.RefundID, e.refund.OutRefundNo
			kind, refundState = "ORIGINAL", "SUCCESS"
		}
		paid, refunded, fees = paid+total, refunded+back, fees+e.fee
		cells := []string{
			aliMoment(e.at), m.AppID, m.MchID, "0", "", e.trade.TransactionID, e.trade.OutTradeNo, e.trade.OpenID, e.trade.kind(), state,
			"OTHERS", "CNY", yuanOf(total), "0.00", refundID, refundNo, yuanOf(back), "0.00", kind, refundState,
			strings.ReplaceAll(e.trade.Description, ",", " "), e.trade.Attach, feeOf(e.fee), "0.60%", yuanOf(total), yuanOf(back), "",
		}
		b.WriteString("`" + strings.Join(cells, ",`") + "\r\n")
	}
	b.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n")
	fmt.Fprintf(&b, "`%d,`%s,`%s,`0.00,`%s,`%s,`%s\r\n", len(entries), yuanOf(paid), yuanOf(refunded), feeOf(fees), yuanOf(paid), yuanOf(refunded))
	return b.Bytes()
}

// feeOf spells 1/1000 fen as yuan with five decimals.
func feeOf(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%05d", sign, n/100_000, n%100_000)
}

// aliBillURL answers where Alipay's bill of a day lies.
func (s *Sandbox) aliBillURL(c *aliCall) (map[string]any, error) {
	var q struct {
		Kind string `json:"bill_type"`
		Date string `json:"bill_date"`
	}
	if err := c.content(&q); err != nil {
		return nil, err
	}
	day, ready, err := s.billDay(q.Date)
	if err != nil {
		return nil, err
	}
	if q.Kind != "trade" {
		return nil, errAliParam("bill_type: only trade is made here")
	}
	if !ready {
		return nil, &aliError{code: "40004", sub: "isp.bill_not_exist", message: "there is no bill of this day"}
	}
	address := url.Values{"app_id": {c.merchant.aliAppID()}, "day": {day.Format(time.DateOnly)}, "token": {s.billToken(c.merchant, day)}}
	return map[string]any{"bill_download_url": s.baseURL(c.r) + aliBillPath + "?" + address.Encode()}, nil
}

// billToken lets whoever was told the address fetch the bill, and nobody else.
func (s *Sandbox) billToken(m *merchant, day time.Time) string {
	return hashOf(m.PrivateKey + day.Format(time.DateOnly))
}

// aliBill sends a bill: a zip of two tables in GBK, as the platform makes it.
func (s *Sandbox) aliBill(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var m *merchant
	s.view(func(st *state) { m = st.byAliApp[q.Get("app_id")] })
	day, err := time.ParseInLocation(time.DateOnly, q.Get("day"), beijing())
	if m == nil || err != nil || q.Get("token") != s.billToken(m, day) {
		http.NotFound(w, r)
		return
	}
	archive, err := aliArchive(m, day, s.billOf(m, channelAlipay, day))
	if err != nil {
		s.log.Error("sandbox cannot make a bill", "error", err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = w.Write(archive) // who has gone asks again
}

func aliArchive(m *merchant, day time.Time, entries []entry) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	name := m.aliSellerID() + "_" + day.Format("20060102") + "_业务明细"
	for file, text := range map[string]string{name + ".csv": aliTable(m, day, entries), name + "(汇总).csv": "#支付宝业务汇总查询\r\n"} {
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(file)
		if err != nil {
			return nil, err
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: gbk, NonUTF8: true, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		encoded, err := simplifiedchinese.GBK.NewEncoder().String(text)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(f, encoded); err != nil {
			return nil, err
		}
	}
	err := z.Close() // writes the directory
	return out.Bytes(), err
}

// aliTable lays a bill out as Alipay does: comments around it, a tab at the end of each cell.
func aliTable(m *merchant, day time.Time, entries []entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#支付宝业务明细查询\r\n#账号：[%s0156]\r\n#起始日期：[%s 00:00:00]\r\n#----业务明细列表----\r\n", m.aliSellerID(), day.Format(time.DateOnly))
	b.WriteString("支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）," +
		"商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）," +
		"卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n")
	var count, back [2]int64 // number and sum
	for _, e := range entries {
		kind, amount, fee, refundNo := "交易", e.amount, -roundFen(e.fee), ""
		if e.refund != nil {
			kind, amount, refundNo = "退款", -e.amount, e.refund.OutRefundNo
			back = [2]int64{back[0] + 1, back[1] - e.amount}
		} else {
			count = [2]int64{count[0] + 1, count[1] + e.amount}
		}
		cells := []string{
			e.trade.TransactionID, e.trade.OutTradeNo, kind, strings.ReplaceAll(e.trade.Description, ",", " "), aliMoment(e.trade.CreatedAt),
			aliMoment(e.at), "", "", "", "", "*明(159****5620)", yuanOf(amount), yuanOf(amount), "0.00", "0.00", "0.00", "0.00", "0.00", "",
			"0.00", "0.00", refundNo, yuanOf(fee), "0.00", "",
		}
		b.WriteString(strings.Join(cells, "\t,") + "\r\n")
	}
	fmt.Fprintf(&b, "#----业务明细列表结束----\r\n#交易合计：%d笔，商家实收共%s元，商家优惠共0.00元\r\n", count[0], yuanOf(count[1]))
	fmt.Fprintf(&b, "#退款合计：%d笔，商家实收退款共%s元，商家优惠退款共0.00元\r\n", back[0], yuanOf(back[1]))
	return b.String()
}

// roundFen rounds 1/1000 fen to fen, halves away from zero.
func roundFen(n int64) int64 {
	if n < 0 {
		return -roundFen(-n)
	}
	return (n + 500) / 1000
}
