/** A page at the end of a visit. */
export interface Page {
  url: string
  status: number
  body: string
}

export interface HeadlessBrowser {
  /** Follows redirects, fills in the login page, and gives the page where that ends. */
  visit(url: string): Promise<Page>
}

/**
 * A browser in 60 lines: it keeps cookies, follows redirects, submits the login form. It does not open other schemes: a
 * redirect to `com.example.app://...` ends the visit with that URL, as it would hand over to the app.
 *
 * @example
 * ```ts
 * const platform = cli({ openBrowser: (url) => logInHeadless(url, { user: "Ada Lovelace" }) })
 * ```
 */
export function createHeadlessBrowser({ user }: { user: string }): HeadlessBrowser {
  // Cookies know no ports (RFC 6265 section 8.5), and every address here is one host.
  const cookies = new Map<string, string>()

  async function request(url: string, form?: URLSearchParams): Promise<Response> {
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form && { method: "POST", body: form }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === "" || /expires=Thu, 01 Jan 1970/i.test(cookie)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }

  async function visit(start: string): Promise<Page> {
    let url = start
    let form: URLSearchParams | undefined
    for (let hops = 0; hops < 20; hops++) {
      const response = await request(url, form)
      const location = response.headers.get("location")
      if (location) {
        form = undefined
        url = new URL(location, url).href
        if (!/^https?:/.test(url)) return { url, status: response.status, body: "" }
        await response.body?.cancel()
        continue
      }
      const body = await response.text()
      const refresh = /<meta http-equiv="refresh" content="0;url=([^"]+)"/.exec(body)?.[1]
      if (refresh) {
        form = undefined
        url = new URL(refresh.replaceAll("&amp;", "&"), url).href
        continue
      }
      // A form that comes back was refused.
      const tried = form !== undefined
      form = tried ? undefined : fillIn(body, user)
      if (!form) return { url, status: response.status, body }
      const action = /<form[^>]*\saction="([^"]+)"/.exec(body)?.[1]
      if (action) url = new URL(action, url).href
    }
    throw new Error("the visit does not end: 20 redirects")
  }

  return { visit }
}

/** One visit by a fresh browser that knows the user's name. */
export const logInHeadless = (url: string, options: { user: string }): Promise<Page> =>
  createHeadlessBrowser(options).visit(url)

/** The login form, the provider's logout form and the button of a login by poll are all the forms that there are. */
function fillIn(html: string, user: string): URLSearchParams | undefined {
  if (html.includes('name="user"')) return new URLSearchParams({ user })
  const confirm = /name="confirm" value="([^"]+)"/.exec(html)?.[1]
  if (confirm) return new URLSearchParams({ confirm })
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(html)?.[1]
  return xsrf ? new URLSearchParams({ xsrf, logout: "yes" }) : undefined
}
