// A file goes by XMLHttpRequest: fetch tells nobody how much of it has left.

import { currentLang, t } from "../lib/i18n";
import { Fault, faultOf, type Schemas } from "./client";

/** Sends card keys of a SKU. Progress is the share that has left, 0 to 1. */
export function sendCards(code: string, file: File, dryRun: boolean, progress: (share: number) => void): Promise<Schemas["ReportView"]> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/console/api/v1/skus/${encodeURIComponent(code)}/cards?dry_run=${dryRun}`);
    request.setRequestHeader("Accept-Language", currentLang());
    request.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
    request.onerror = () => reject(new Fault(0, "no_connection", t("fault.no_connection")));
    request.onload = () => {
      const body = parse(request.responseText);
      if (request.status === 200 && body) resolve(body as Schemas["ReportView"]);
      else reject(faultOf(request.status, body));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
